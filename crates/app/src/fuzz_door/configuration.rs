//! A configuration file.

use std::path::Path;

use crate::config::MissingKeys;
use crate::config::document::source::Source;
use crate::config::load;

/// Whatever the file holds, it is loaded or there is a report with a place in the file. The types take what the schema lets through.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // No file can be below this: what the configuration names is not there.
    let source = Source::text("any.yaml", Path::new("/dev/null"), text);
    let Err(report) = load(&source, MissingKeys::Refuse) else { return };
    let report = report.to_string();
    assert!(report.contains("error: "), "a report without an error: {report}");
    // The report quotes the file, which may have the words itself.
    let disagree = "the file cannot be read: ";
    assert!(text.contains(disagree) || !report.contains(disagree), "the schema and the types disagree: {report}");
    assert!(!report.contains('\u{1b}'), "a control character of the file is in the report: {report:?}");
}

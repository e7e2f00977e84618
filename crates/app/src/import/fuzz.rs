//! A target of `fuzz/`.

use crate::import::apache::read;
use crate::import::ledger::{Fate, Row};
use crate::import::text::Input;

/// An Apache configuration: each directive has one row, and one that nobody knows closes everything.
pub(crate) fn apache(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let include = |_: &str, _: Option<&str>| Err("there are no other files".to_owned());
    let import = |text: &str| read(&[Input { name: "a.conf".to_owned(), text: text.to_owned() }], &[], &include);
    let Ok((_, ledger)) = import(text) else { return };
    let rows = ledger.rows();
    assert_eq!(rows.len(), directives(text), "rows, and directives of the file");
    assert!(rows.iter().all(has_reason), "a row without a reason");
    let Ok((draft, _)) = import(&format!("AGateOfTomorrow on\n{text}")) else { return };
    assert!(draft.chains().all(|chain| chain.is_closed()), "a rule is open beside a directive that nobody knows");
}

fn has_reason(row: &Row) -> bool {
    let (Fate::Kept(why) | Fate::Changed(why) | Fate::Dropped(why)) = &row.fate;
    !why.is_empty()
}

/// By a reader that is as simple as can be: what is left of the lines when they are joined and comments are gone.
fn directives(text: &str) -> usize {
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    let joined = joined.strip_suffix("\\\r").or(joined.strip_suffix('\\')).unwrap_or(&joined);
    let is_space = |letter: char| matches!(letter, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}');
    let lines = joined.split('\n').map(|line| line.trim_matches(is_space));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("</")).count()
}

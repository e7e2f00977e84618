//! Every problem of a file, and how they are shown.

use std::fmt;

use crate::config::document::diagnostic::{Diagnostic, Severity};
use crate::config::document::render;
use crate::config::document::secrets::Shown;

/// All problems of one file, in the order of the file. Prints them in the format of the Rust compiler.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    file: String,
    /// The text of the file, without secrets.
    shown: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts the problems, whose places are those in the text of the file. `shown` is that text without secrets.
    pub(crate) fn new(file: String, shown: Shown, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| diagnostic.span.map(|span| span.start));
        for diagnostic in &mut list {
            veil(diagnostic, &shown);
            let labels = diagnostic.labels.iter_mut().map(|label| &mut label.span);
            diagnostic.span.iter_mut().chain(labels).for_each(|span| *span = shown.locate(*span));
        }
        Self { file, shown: shown.text, list }
    }

    /// A problem of the whole file.
    pub(crate) fn whole_file(file: String, message: String, hint: Option<String>) -> Self {
        let (severity, path) = (Severity::Error, String::new());
        let diagnostic = Diagnostic { severity, span: None, path, message, hint, labels: Vec::new(), veiled: None };
        Self::new(file, Shown::default(), vec![diagnostic])
    }

    /// The number of problems of that severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// The path and the message of each error.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&str, &str)> {
        let errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.map(|diagnostic| (diagnostic.path.as_str(), diagnostic.message.as_str()))
    }

    /// Whether there are no problems.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text for a terminal, with colours. `Display` is the same without.
    #[must_use]
    pub fn coloured(&self) -> String {
        render::coloured(&self.file, &self.shown, &self.list)
    }
}

/// Leaves out of the message what is left out of the text.
fn veil(diagnostic: &mut Diagnostic, shown: &Shown) {
    let Some(veiled) = diagnostic.veiled.take_if(|veiled| veiled.keys.iter().any(|key| shown.hides(*key))) else {
        return;
    };
    diagnostic.message = veiled.message.to_owned();
    diagnostic.path = veiled.path;
    diagnostic.hint = Some("put a value that has a comma in quotes".to_owned());
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::plain(&self.file, &self.shown, &self.list))
    }
}

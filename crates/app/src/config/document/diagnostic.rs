//! One problem of a file, with its place and a hint. An operator needs only that to correct the file.

/// A range of bytes in the text of the document. `start` may equal `end`: a value that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// This span without what is on later lines.
    pub(crate) fn first_line(self, text: &str) -> Self {
        let line = text[self.start..self.end].lines().next().unwrap_or_default();
        Self { start: self.start, end: self.start + line.trim_end().len() }
    }
}

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably not as intended.
    Warning,
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    /// `None` if the problem concerns the whole file.
    pub(crate) span: Option<Span>,
    /// For example `listeners[0].rules[2]`; empty if the problem concerns the whole file.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Other places that the message is about.
    pub(crate) labels: Vec<Label>,
    /// What to say instead if a key that the message names is not shown.
    pub(crate) veiled: Option<Veiled>,
}

/// A diagnostic that does not name keys.
#[derive(Clone, Debug)]
pub(crate) struct Veiled {
    /// Where the keys are.
    pub(crate) keys: Vec<Span>,
    /// The path of the mapping that has them.
    pub(crate) path: String,
    pub(crate) message: &'static str,
}

/// Another place that a problem is about.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) span: Span,
    pub(crate) text: String,
}

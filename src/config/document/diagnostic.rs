//! One problem of a file, with its place and a hint. An operator needs only that to correct the file.

use crate::config::document::span::Span;

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
}

/// Another place that a problem is about.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) span: Span,
    pub(crate) text: String,
}

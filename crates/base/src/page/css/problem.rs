//! Why a stylesheet is refused.

/// Problems that are told of one file.
pub(super) const PROBLEMS_MAX: usize = 20;

/// Why a file cannot be used, and the line, counted from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: u32,
    pub message: String,
}

//! A part of the text.

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

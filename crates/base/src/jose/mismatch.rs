//! What somebody said, and what was expected: for the log, so that an operator sees both values.

use std::fmt;

/// Most characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// A value that is not the expected one. Shown quoted, escaped and cut, because a stranger may have written it. Never made of
/// a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    found: Box<str>,
    expected: Box<str>,
}

impl Mismatch {
    /// `found` where `expected` was expected. An absent value is shown as `nothing`.
    pub(crate) fn new(found: Option<&str>, expected: &str) -> Self {
        Self { found: found.map_or_else(|| "nothing".into(), quoted), expected: quoted(expected) }
    }

    /// What was found, as it is shown.
    pub(crate) fn found(&self) -> &str {
        &self.found
    }

    /// What was expected, as it is shown.
    pub(crate) fn expected(&self) -> &str {
        &self.expected
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, expected {}", self.found, self.expected)
    }
}

/// `text` in quotation marks, with control characters escaped, cut to [`SHOWN_CHARS_MAX`] characters.
pub(crate) fn quoted(text: &str) -> Box<str> {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let rest = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{rest}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_escaped_and_cut() {
        let mismatch = Mismatch::new(Some("https://a\r\n\u{1b}[31m"), "https://b");
        assert_eq!(mismatch.to_string(), r#""https://a\r\n\u{1b}[31m", expected "https://b""#);
        assert_eq!(Mismatch::new(None, "b").to_string(), r#"nothing, expected "b""#);
        assert_eq!(quoted(&"a".repeat(1000)).chars().count(), SHOWN_CHARS_MAX + 3);
    }
}

//! Reads regular expressions. Conditions of rules and transforms have the same flavour (decision 71).

use regex_syntax::hir::Hir;
use regex_syntax::{ParserBuilder, ast, hir};

/// How deep groups may be nested.
const NESTING_MAX: u32 = 32;

/// A text that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a regular expression: {why}")]
pub struct NotRegex {
    pub text: String,
    /// In the words of the parser.
    pub why: String,
}

/// Reads a regular expression. It works on bytes: `\d`, `\w`, `\s` and `\b` know ASCII only, and `.` is one byte.
///
/// # Errors
///
/// [`NotRegex`].
pub fn parse(text: &str, is_insensitive: bool) -> Result<Hir, NotRegex> {
    let mut parser = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .case_insensitive(is_insensitive)
        .nest_limit(NESTING_MAX)
        .build();
    parser.parse(text).map_err(|error| NotRegex { text: text.to_owned(), why: explanation(&error) })
}

/// What is wrong, in one line, and what to write instead.
fn explanation(error: &regex_syntax::Error) -> String {
    let (what, column, advice) = match error {
        regex_syntax::Error::Parse(error) => {
            let (what, advice) = syntax(error.kind());
            (what, error.span().start.column, advice)
        }
        regex_syntax::Error::Translate(error) => {
            let (what, advice) = translation(error.kind());
            (what, error.span().start.column, advice)
        }
        _ => return "it is not supported".to_owned(),
    };
    format!("{what} (character {column}){advice}")
}

fn syntax(kind: &ast::ErrorKind) -> (String, &'static str) {
    match kind {
        ast::ErrorKind::UnsupportedLookAround => (
            "look-ahead and look-behind are not supported".to_owned(),
            "; write a rule with a lower `priority` number for what must not match",
        ),
        other => (other.to_string(), ""),
    }
}

fn translation(kind: &hir::ErrorKind) -> (String, &'static str) {
    match kind {
        hir::ErrorKind::UnicodeNotAllowed => (
            "`\\p{…}`, and characters beyond ASCII in brackets, are not supported".to_owned(),
            "; write alternatives: `(?:ä|ö)`",
        ),
        other => (other.to_string(), ""),
    }
}

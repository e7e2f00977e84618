//! Diagnostics: every problem of a file, with its position and a hint. An operator needs only the diagnostic to
//! correct the file.

use std::fmt;
use std::sync::Arc;

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably not as intended.
    Warning,
}

/// A position in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Counted from 1; 0 if the problem concerns the whole file.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
    /// In characters, at least 1, within this line.
    pub(crate) width: usize,
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) position: Position,
    /// For example `listeners[0].rules[2]`; empty if the problem concerns the whole file.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// All problems of one file, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    file: String,
    /// The lines of the file, with inline secrets removed.
    lines: Arc<[String]>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts the problems found in `text`.
    pub(crate) fn new(file: String, text: &str, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| (diagnostic.position.line, diagnostic.position.column));
        Self { file, lines: showable(text).into(), list }
    }

    /// A problem of the whole file.
    pub(crate) fn whole_file(file: String, message: String, hint: Option<String>) -> Self {
        let position = Position::default();
        let diagnostic = Diagnostic { severity: Severity::Error, position, path: String::new(), message, hint };
        Self::new(file, "", vec![diagnostic])
    }

    /// The number of problems of that severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether there are no problems.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl std::error::Error for Diagnostics {}

/// Prints problems in the format of the Rust compiler.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.list.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            self.write(f, diagnostic)?;
        }
        Ok(())
    }
}

impl Diagnostics {
    fn write(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        let Diagnostic { severity, position, path, message, hint } = diagnostic;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", printable(message))?;
        let gutter = " ".repeat(position.line.to_string().len());
        write!(f, "{gutter}--> {}", self.file)?;
        if position.line > 0 {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        if !path.is_empty() {
            write!(f, " at {path}")?;
        }
        writeln!(f)?;
        if let Some(line) = position.line.checked_sub(1).and_then(|index| self.lines.get(index)) {
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{} | {line}", position.line)?;
            writeln!(f, "{gutter} | {}", carets(*position, line))?;
        }
        match hint {
            Some(hint) => writeln!(f, "{gutter} = {}", printable(hint)),
            None => Ok(()),
        }
    }
}

/// Underlines the value, or the part of it that the line shows.
fn carets(position: Position, line: &str) -> String {
    let length = line.chars().count();
    let before = (position.column.saturating_sub(1)).min(length);
    let width = position.width.min(length - before).max(1);
    format!("{}{}", " ".repeat(before), "^".repeat(width))
}

/// The lines of a file, without inline secrets and without terminal control characters.
fn showable(text: &str) -> Vec<String> {
    // The indentation of a key with a secret value. Lines with deeper indentation belong to it.
    let mut hidden_below = None;
    let show = |line: &str| {
        let indentation = line.len() - line.trim_start_matches([' ', '-']).len();
        if hidden_below.is_some_and(|secret| indentation > secret || line.trim().is_empty()) {
            return String::from("…");
        }
        hidden_below = None;
        match secret_begins(line) {
            Some(at) => {
                hidden_below = Some(indentation);
                format!("{} …", printable(&line[..at]))
            }
            None => printable(&without_userinfo(line)),
        }
    };
    text.lines().map(show).map(|line| line.chars().take(LINE_LENGTH_MAX).collect()).collect()
}

/// The position after the colon of a key with a secret value.
fn secret_begins(line: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|at| from + at) {
        let before = line[..colon].trim_end_matches(['"', '\'', ' ']);
        let name = before.rsplit([' ', '{', ',', '"', '\'', '-']).next().unwrap_or_default().to_ascii_lowercase();
        if (name.contains("secret") || name.contains("password")) && !name.ends_with("_file") {
            return Some(colon + 1);
        }
        from = colon + 1;
    }
    None
}

/// Hides the user name and password of `https://user:password@host`. Such a URL is refused, and the diagnostic shows
/// it.
fn without_userinfo(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority = after.find(['/', ' ', '"', '\'']).unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            // The replacement has the same width, so that the carets stay under the value.
            Some(at) => {
                shown.extend(after[..at].chars().map(|_| '…'));
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

/// Maximum number of characters shown per line.
const LINE_LENGTH_MAX: usize = 160;

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '�'
            } else {
                c
            }
        })
        .collect()
}

//! Every problem of a file, with its place and what helps. Reading one is all an operator needs to mend the file.

use std::fmt;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be served with.
    Error,
    /// It can, but hardly as meant.
    Warning,
}

/// Where in the text something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// From 1; 0 where the problem is the whole file.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// In characters, at least 1, on this line.
    pub(crate) width: usize,
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) position: Position,
    /// `listeners[0].rules[2]`; empty where the problem is the whole file.
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Everything found in one file, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    file: String,
    /// As it may be shown: without inline secrets.
    lines: Arc<[String]>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Sorts what was found in `text`.
    pub(crate) fn new(file: String, text: &str, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| (diagnostic.position.line, diagnostic.position.column));
        Self { file, lines: showable(text).into(), list }
    }

    /// A problem with the file as such.
    pub(crate) fn whole_file(file: String, message: String, hint: Option<String>) -> Self {
        let position = Position::default();
        let diagnostic = Diagnostic { severity: Severity::Error, position, path: String::new(), message, hint };
        Self::new(file, "", vec![diagnostic])
    }

    /// How many are of that severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl std::error::Error for Diagnostics {}

/// In the manner of the Rust compiler, which readers of such reports know.
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

/// Points at the value, or at as much of it as the line shows.
fn carets(position: Position, line: &str) -> String {
    let length = line.chars().count();
    let before = (position.column.saturating_sub(1)).min(length);
    let width = position.width.min(length - before).max(1);
    format!("{}{}", " ".repeat(before), "^".repeat(width))
}

/// The lines of a file without the secrets that stand in it, and without what a terminal would obey.
fn showable(text: &str) -> Vec<String> {
    // The indentation of a key whose value is secret: deeper lines belong to it.
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

/// The byte behind the colon of a key whose value is a secret.
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

/// `https://user:password@host` without the two (which is refused, and then shown).
fn without_userinfo(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority = after.find(['/', ' ', '"', '\'']).unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            // As wide as it was, so that the carets still point at the value.
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

/// At most this many characters of a line are shown.
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

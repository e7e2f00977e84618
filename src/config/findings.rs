//! Collects problems while the file is read, and finds where they stand.

use crate::config::diagnostic::{Diagnostic, Position, Severity};
use crate::config::path::Path;
use crate::config::tree::Node;

/// What was found so far. Never stops at the first.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    at: Path,
    /// Whether the key is what is wrong, not its value.
    on_key: bool,
    diagnostic: Diagnostic,
}

impl Findings {
    /// Something that must be mended, at a value.
    pub(crate) fn problem(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, at, false, message.into())
    }

    /// Something that must be mended, at a key.
    pub(crate) fn problem_at_key(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, at, true, message.into())
    }

    /// Something that will hardly do what was meant.
    pub(crate) fn warning(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, at, false, message.into())
    }

    /// Whether a problem was found at this value or in it: what follows from that need not be said as well.
    pub(crate) fn concern(&self, at: &Path) -> bool {
        self.list.iter().any(|finding| {
            finding.diagnostic.severity == Severity::Error && !finding.on_key && finding.at.is_within(at)
        })
    }

    /// Whether this mapping has a key that nobody knows: what is missing in it may stand there with a slip.
    pub(crate) fn concern_keys_of(&self, at: &Path) -> bool {
        self.list.iter().any(|finding| finding.on_key && finding.at.is_within(at))
    }

    /// Whether the file cannot be served with.
    pub(crate) fn has_problems(&self) -> bool {
        self.list.iter().any(|finding| finding.diagnostic.severity == Severity::Error)
    }

    /// Everything found, with its place in the text.
    pub(crate) fn located(self, root: Option<&Node>) -> Vec<Diagnostic> {
        let locate = |finding: Finding| {
            let mut diagnostic = finding.diagnostic;
            if diagnostic.position == Position::default()
                && let Some(root) = root
            {
                diagnostic.position = root.locate(&finding.at, finding.on_key);
            }
            diagnostic
        };
        self.list.into_iter().map(locate).collect()
    }

    fn push(&mut self, severity: Severity, at: &Path, on_key: bool, message: String) -> &mut Diagnostic {
        let position = Position::default();
        let diagnostic = Diagnostic { severity, position, path: at.to_string(), message, hint: None };
        self.list.push(Finding { at: at.clone(), on_key, diagnostic });
        let last = self.list.last_mut().expect("one was just pushed");
        &mut last.diagnostic
    }
}

impl Diagnostic {
    /// Says what helps.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what helps, where something does.
    pub(crate) fn maybe_hint(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint.or(self.hint.take());
        self
    }

    /// Says where it is, for what is not in the tree.
    pub(crate) fn position(&mut self, position: Position) -> &mut Self {
        self.position = position;
        self
    }
}

//! Collects problems while the file is validated, and determines their positions.

use crate::config::document::diagnostic::{Diagnostic, Position, Severity};
use crate::config::document::path::Path;
use crate::config::document::tree::Node;

/// The problems found so far. Validation never stops at the first problem.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    at: Path,
    /// Whether the problem is the key, not its value.
    on_key: bool,
    diagnostic: Diagnostic,
}

impl Findings {
    /// Adds an error at a value.
    pub(crate) fn problem(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, at, false, message.into())
    }

    /// Adds an error at a key.
    pub(crate) fn problem_at_key(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, at, true, message.into())
    }

    /// Adds a warning.
    pub(crate) fn warning(&mut self, at: &Path, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, at, false, message.into())
    }

    /// Whether there is a problem at this value or inside it. Consequences of that problem are not reported.
    pub(crate) fn concern(&self, at: &Path) -> bool {
        self.list.iter().any(|finding| {
            finding.diagnostic.severity == Severity::Error && !finding.on_key && finding.at.is_within(at)
        })
    }

    /// Whether this mapping has an unknown key. A setting that seems to be missing may be misspelled there.
    pub(crate) fn concern_keys_of(&self, at: &Path) -> bool {
        self.list.iter().any(|finding| finding.on_key && finding.at.is_within(at))
    }

    /// Whether there are errors.
    pub(crate) fn has_problems(&self) -> bool {
        self.list.iter().any(|finding| finding.diagnostic.severity == Severity::Error)
    }

    /// All problems, with their positions in the text.
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
    /// Adds a hint.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint, if there is one.
    pub(crate) fn maybe_hint(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint.or(self.hint.take());
        self
    }

    /// Sets the position, for problems outside the tree.
    pub(crate) fn position(&mut self, position: Position) -> &mut Self {
        self.position = position;
        self
    }
}

//! Collects problems while the file is validated, and determines their places in the text.

use crate::config::document::diagnostic::{Diagnostic, Label, Severity, Span, Veiled};
use crate::config::document::path::Path;
use crate::config::document::tree::Node;

/// The problems found so far. Validation never stops at the first problem.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
}

/// The proof that a problem has been added to [`Findings`]. Only [`Findings`] and [`Problem`] make one, so that a function that
/// returns `Err(Reported)` cannot have been silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Reported(());

#[derive(Debug)]
struct Finding {
    severity: Severity,
    at: Place,
    path: Path,
    message: String,
    hint: Option<String>,
    /// Other places that the message is about.
    labels: Vec<(Place, String)>,
    /// Of an unknown key: the setting that was probably meant.
    meant: Option<Path>,
    /// The setting without which this is an error.
    lacks: Option<Path>,
    veiled: Option<Veiled>,
}

/// Where something is in the file.
#[derive(Clone, Debug)]
enum Place {
    Value(Path),
    Key(Path),
    Text(Option<Span>),
}

impl Place {
    fn span(&self, root: Option<&Node>) -> Option<Span> {
        match self {
            Self::Value(path) => root.map(|root| root.locate(path, false)),
            Self::Key(path) => root.map(|root| root.locate(path, true)),
            Self::Text(span) => *span,
        }
    }
}

impl Findings {
    /// Adds an error at a value.
    pub(crate) fn problem(&mut self, at: &Path, message: impl Into<String>) -> Problem<'_> {
        Problem(self.push(Severity::Error, at, Place::Value(at.clone()), message.into()))
    }

    /// Adds an error at a key.
    pub(crate) fn problem_at_key(&mut self, at: &Path, message: impl Into<String>) -> Problem<'_> {
        Problem(self.push(Severity::Error, at, Place::Key(at.clone()), message.into()))
    }

    /// Adds an error at a part of the text, which is not or not yet in the tree. `None` is the whole file.
    pub(crate) fn problem_in_text(&mut self, span: Option<Span>, at: &Path, message: impl Into<String>) -> Problem<'_> {
        Problem(self.push(Severity::Error, at, Place::Text(span), message.into()))
    }

    /// Adds a warning.
    pub(crate) fn warning(&mut self, at: &Path, message: impl Into<String>) -> Warning<'_> {
        Warning(self.push(Severity::Warning, at, Place::Value(at.clone()), message.into()))
    }

    /// Whether there is an error at this value or inside it. Consequences of that error are not reported.
    pub(crate) fn concern(&self, at: &Path) -> Option<Reported> {
        let concerns = |finding: &Finding| !matches!(finding.at, Place::Key(_)) && finding.path.is_within(at);
        self.errors().any(concerns).then_some(Reported(()))
    }

    /// Whether this mapping has an unknown key. A setting that seems to be missing may be misspelled there.
    pub(crate) fn concern_keys_of(&self, at: &Path) -> Option<Reported> {
        let concerns = |finding: &Finding| matches!(finding.at, Place::Key(_)) && finding.path.is_within(at);
        self.errors().any(concerns).then_some(Reported(()))
    }

    /// Nothing, if there is no error in the whole file.
    pub(crate) fn verdict(&self) -> Result<(), Reported> {
        if self.errors().next().is_some() { Err(Reported(())) } else { Ok(()) }
    }

    /// All problems, with their places in the text. What only follows from another problem is left out.
    pub(crate) fn located(self, root: Option<&Node>) -> Vec<Diagnostic> {
        let locate = |Finding { severity, at, path, message, hint, labels, veiled, .. }: Finding| Diagnostic {
            severity,
            span: at.span(root),
            path: path.to_string(),
            message,
            hint,
            labels: labels.into_iter().filter_map(|(at, text)| Some(Label { span: at.span(root)?, text })).collect(),
            veiled,
        };
        let follows: Vec<bool> = self.list.iter().map(|finding| self.follows(finding)).collect();
        self.list.into_iter().zip(follows).filter(|(_, follows)| !follows).map(|(finding, _)| locate(finding)).collect()
    }

    /// Whether the setting that is missing is there: under a misspelled key, or with a mistake in its value. Another error says so.
    fn follows(&self, finding: &Finding) -> bool {
        let Some(lacks) = &finding.lacks else { return false };
        let is_there = |other: &Finding| {
            other.lacks.is_none() && (other.meant.as_ref() == Some(lacks) || other.path.is_within(lacks))
        };
        self.errors().any(is_there)
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter().filter(|finding| finding.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, path: &Path, at: Place, message: String) -> &mut Finding {
        self.list.push(Finding {
            severity,
            at,
            path: path.clone(),
            message,
            hint: None,
            labels: Vec::new(),
            meant: None,
            lacks: None,
            veiled: None,
        });
        self.list.last_mut().expect("one was just pushed")
    }
}

/// An error that has just been added.
pub(crate) struct Problem<'f>(&'f mut Finding);

impl Problem<'_> {
    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if that is known.
    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Shows another value that the message is about.
    pub(crate) fn label(self, at: &Path, text: impl Into<String>) -> Self {
        self.0.labels.push((Place::Value(at.clone()), text.into()));
        self
    }

    /// Shows another part of the text that the message is about.
    pub(crate) fn label_in_text(self, span: Span, text: impl Into<String>) -> Self {
        self.0.labels.push((Place::Text(Some(span)), text.into()));
        self
    }

    /// What to say of the mapping at `path` instead, if one of the keys that the message names is not shown: it may be part of a
    /// secret.
    pub(crate) fn unless_shown(self, keys: Vec<Span>, path: &Path, message: &'static str) -> Self {
        self.0.veiled = Some(Veiled { keys, path: path.to_string(), message });
        self
    }

    /// Says which setting is missing: if it is there under a misspelled key, or has a mistake itself, only that is shown.
    pub(crate) fn lacks(self, setting: &Path) -> Self {
        self.0.lacks = Some(setting.clone());
        self
    }

    /// Says which setting an unknown key was probably meant to be.
    pub(crate) fn meant(self, setting: Option<Path>) -> Self {
        self.0.meant = setting;
        self
    }

    /// The proof that it was added.
    pub(crate) fn reported(self) -> Reported {
        Reported(())
    }

    /// The result of a function that cannot go on because of it.
    pub(crate) fn fail<T>(self) -> Result<T, Reported> {
        Err(self.reported())
    }
}

/// A warning that has just been added. It is no [`Reported`]: nothing may fail because of a warning.
pub(crate) struct Warning<'f>(&'f mut Finding);

impl Warning<'_> {
    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Shows another value that the message is about.
    pub(crate) fn label(self, at: &Path, text: impl Into<String>) -> Self {
        self.0.labels.push((Place::Value(at.clone()), text.into()));
        self
    }
}

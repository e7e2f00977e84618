//! What every section needs while it is checked.

use std::collections::BTreeMap;

use crate::config::findings::Findings;
use crate::config::path::Path;
use crate::config::source::{MissingKeys, Source};
use crate::config::suggest;
use crate::config::tree::Node;
use crate::config::validate::value;
use crate::message::header::Protected;

/// The source, what was found, and which names the file knows.
pub(crate) struct Context<'s> {
    pub(crate) source: &'s Source,
    pub(crate) missing_keys: MissingKeys,
    pub(crate) found: Findings,
    /// What was done on the way, to be told: keys that were made.
    pub(crate) notes: Vec<String>,
    pub(crate) root: &'s Node,
    /// Header names that no client may set where this file is served with.
    pub(crate) protected: Protected,
}

impl Context<'_> {
    /// Whether the file has that section, sound or not.
    pub(crate) fn has(&self, section: &str) -> bool {
        self.root.get(section).is_some()
    }

    /// The names that a section defines. An entry that is not sound still has its name: what refers to it is right.
    pub(crate) fn names(&self, section: &str) -> Vec<String> {
        let entries = self.root.get(section).map(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| entry.key.clone()).collect()
    }

    /// Checks that `name` is defined in `section`.
    pub(crate) fn refer(&mut self, name: &str, section: &str, what: &str, at: &Path) {
        let names = self.names(section);
        if names.iter().any(|known| known == name) {
            return;
        }
        let hint = suggest::hint(name, names.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| format!("define it in `{section}`"));
        self.found.problem(at, format!("there is no {what} `{name}`")).hint(hint);
    }

    /// Checks every entry of a section, and that its name can stand in logs and metrics.
    pub(crate) fn each<R, S>(
        &mut self,
        section: &BTreeMap<String, R>,
        at: &Path,
        check: impl Fn(&str, &R, &Path, &mut Self) -> Option<S>,
    ) -> Vec<S> {
        let mut sound = Vec::with_capacity(section.len());
        for (name, raw) in section {
            let path = at.key(name);
            value::name(name, &path, &mut self.found);
            sound.extend(check(name, raw, &path, self));
        }
        sound
    }
}

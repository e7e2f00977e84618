//! State that the validation of every section needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::document::source::Source;
use crate::config::document::suggest;
use crate::config::document::tree::Node;
use crate::config::keys::MissingKey;
use crate::config::raw::value::List;
use crate::config::settled::ProviderConfig;
use crate::config::validate::value;
use crate::message::header::Protected;

/// The source, the findings, and the names that the file defines.
pub(crate) struct Context<'s> {
    pub(crate) source: &'s Source,
    pub(crate) found: Findings,
    /// Key files that do not exist. The validation reads files, but it writes none.
    pub(crate) missing_keys: Vec<MissingKey>,
    /// Why key files that do not exist could not be created.
    pub(crate) not_made: &'s BTreeMap<PathBuf, String>,
    pub(crate) root: &'s Node,
    /// Issuers of bearer tokens that the file does not list as providers, each with the place where it is first used.
    pub(crate) issuers: Vec<(ProviderConfig, Path)>,
    /// Header names that clients may not set with this configuration.
    pub(crate) protected: Protected,
    /// Whether the listener that is being checked verifies the certificates of its clients.
    pub(crate) verifies_certificates: bool,
}

impl Context<'_> {
    /// The names that a section defines, invalid entries included, so that references to an invalid entry are not
    /// reported.
    pub(crate) fn names(&self, section: &str) -> Vec<String> {
        let entries = self.root.get(section).map(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| entry.key.clone()).collect()
    }

    /// Checks that `name` is defined in `section`.
    pub(crate) fn refer(&mut self, name: &str, section: &str, what: &str, at: &Path) -> Result<(), Reported> {
        let names = self.names(section);
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        let hint = suggest::hint(name, names.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| format!("define it in `{section}`"));
        self.found.problem(at, format!("there is no {what} `{name}`")).hint(hint).fail()
    }

    /// The valid entries of a section. Validates every entry, and that its name is usable in logs and metrics.
    pub(crate) fn each<R, S>(
        &mut self,
        section: &BTreeMap<String, R>,
        at: &Path,
        check: impl Fn(&str, &R, &Path, &mut Self) -> Result<S, Reported>,
    ) -> Vec<S> {
        let mut sound = Vec::with_capacity(section.len());
        for (name, raw) in section {
            let path = at.key(name);
            value::name(name, &path, &mut self.found);
            sound.extend(check(name, raw, &path, self));
        }
        sound
    }

    /// Like [`value::each`], for a check that needs the context.
    pub(crate) fn each_item<R, S>(
        &mut self,
        raw: &List<R>,
        at: &Path,
        mut check: impl FnMut(&R, &Path, &mut Self) -> Result<S, Reported>,
    ) -> Result<Vec<S>, Reported> {
        let checked: Vec<_> = raw.iter().map(|(index, item)| check(item, &at.index(index), self)).collect();
        value::complete(raw, at, &mut self.found)?;
        checked.into_iter().collect()
    }
}

/// The protocol of the clients of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientSpeaks {
    Http,
    Https,
    /// A trusted proxy in front of the listener may end TLS.
    WhatTheProxySays,
}

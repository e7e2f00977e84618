//! Loads and validates the configuration file. Only the rooms `app` and `cli` know that there is a file.
//!
//! [`document`] parses the text into a tree with positions, and validates the tree against the schema of the [`raw`]
//! types. [`validate`] converts the valid parts to the settings of each room: a [`Config`]. Each step collects all problems, so
//! that one run of `vestibule check` reports all of them. Start at [`load`].

pub(crate) mod cases;
pub(crate) mod changes;
pub mod document;
pub(crate) mod keys;
pub(crate) mod raw;
pub mod reference;
pub(crate) mod schemas;
mod settled;
pub(crate) mod validate;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize as _;

use crate::admin;
use crate::config::changes::Document;
use crate::config::document::files::NamedFile;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::document::{parse, secrets, shape, tree};
use crate::config::keys::{MissingKey, cause};
use crate::config::validate::context::Context;

pub use crate::config::keys::MissingKeys;
pub use crate::config::settled::Config;
pub(crate) use crate::config::settled::{ListenerConfig, ProviderConfig, RuleConfig, ShutdownConfig, UserPoolConfig};

/// Loads and validates a configuration.
///
/// # Errors
///
/// Returns all problems, each with its place and a hint.
pub fn load(source: &Source, missing_keys: MissingKeys) -> Result<Config, Diagnostics> {
    let (loaded, missing) = read(source, &BTreeMap::new());
    if missing_keys == MissingKeys::Refuse || missing.is_empty() {
        return loaded;
    }
    let (mut notes, mut not_made) = (Vec::new(), BTreeMap::new());
    for key in missing {
        match key.make() {
            Ok(note) => notes.push(note),
            // Two settings may name one file.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                not_made.insert(key.file, cause(&error));
            }
        }
    }
    let (loaded, _) = read(source, &not_made);
    loaded.map(|config| Config { notes, ..config })
}

/// One attempt to load a configuration.
#[derive(Debug)]
pub struct Attempt {
    /// The configuration, or what is wrong with it.
    pub outcome: Result<Config, Diagnostics>,
    /// The files that were read for it, also if it failed.
    pub(crate) files: Vec<NamedFile>,
}

impl Attempt {
    /// Loads a file.
    #[must_use]
    pub fn file(path: &std::path::Path, missing_keys: MissingKeys) -> Self {
        match Source::read(path) {
            Ok(source) => Self::source(&source, missing_keys),
            Err(diagnostics) => Self { outcome: Err(diagnostics), files: vec![NamedFile::unread(path)] },
        }
    }

    /// What cannot be loaded again.
    #[must_use]
    pub fn impossible(name: &str, why: &str) -> Self {
        Self { outcome: Err(Diagnostics::whole_file(name.to_owned(), why.to_owned(), None)), files: Vec::new() }
    }

    /// Loads what is not a file.
    #[must_use]
    pub fn source(source: &Source, missing_keys: MissingKeys) -> Self {
        let outcome = load(source, missing_keys);
        Self { outcome, files: source.own.iter().cloned().chain(source.files.all()).collect() }
    }
}

/// Reads the text and the files that it names. Returns the key files that do not exist, too.
fn read(source: &Source, not_made: &BTreeMap<PathBuf, String>) -> (Result<Config, Diagnostics>, Vec<MissingKey>) {
    let mut found = Findings::default();
    let parsed = match parse::parse(&source.text, &source.environment, &mut found) {
        Ok(parsed) => parsed,
        Err(Reported { .. }) => {
            let shown = secrets::hide_unparsed(&source.text, &reference::SCHEMA);
            return (Err(Diagnostics::new(source.name.clone(), shown, found.located(None))), Vec::new());
        }
    };
    let (config, found, missing) = checked(&parsed.root, source, not_made, found);
    let shown = secrets::hide(&source.text, &parsed, &reference::SCHEMA);
    let diagnostics = Diagnostics::new(source.name.clone(), shown, found.located(Some(&parsed.root)));
    let loaded = match config {
        Ok(config) => {
            let document = Document { root: parsed.root, own: source.own.clone(), files: source.files.all() };
            Ok(Config { warnings: diagnostics, document, ..config })
        }
        Err(Reported { .. }) => Err(diagnostics),
    };
    (loaded, missing)
}

/// The default address of the admin endpoint.
pub(crate) const DEFAULT_ADMIN_ADDRESS: SocketAddr = admin::DEFAULT_ADDRESS;

/// The address of the admin endpoint in a file, even if other parts of the file are invalid. `None` if the address is
/// invalid.
pub(crate) fn admin_address(source: &Source) -> Option<SocketAddr> {
    let mut found = Findings::default();
    let parsed = parse::parse(&source.text, &source.environment, &mut found).ok()?;
    let written = parsed.root.get("admin").and_then(|admin| admin.get("address"));
    match written.map(|node| &node.value) {
        None | Some(tree::Value::Null) => Some(DEFAULT_ADMIN_ADDRESS),
        Some(tree::Value::String(text) | tree::Value::Substituted { text, .. }) => text.parse().ok(),
        Some(_) => None,
    }
}

fn checked(
    root: &tree::Node,
    source: &Source,
    not_made: &BTreeMap<PathBuf, String>,
    mut found: Findings,
) -> (Result<Config, Reported>, Findings, Vec<MissingKey>) {
    let sound = match shape::check(root, &reference::SCHEMA, &mut found) {
        Ok(sound) => sound,
        Err(reported) => return (Err(reported), found, Vec::new()),
    };
    match raw::File::deserialize(sound) {
        Ok(raw) => {
            let protected = validate::protected(&raw);
            let mut context = Context {
                source,
                missing_keys: Vec::new(),
                issuers: Vec::new(),
                not_made,
                found,
                root,
                protected,
                verifies_certificates: false,
            };
            let config = validate::file(&raw, &mut context);
            (config, context.found, context.missing_keys)
        }
        Err(error) => {
            // The schema accepted a value that the types do not accept: a bug of ours, reported as an error.
            let reported = found.problem(&Path::default(), format!("the file cannot be read: {error}")).reported();
            (Err(reported), found, Vec::new())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

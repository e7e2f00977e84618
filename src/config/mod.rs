//! Loads and validates the configuration file. Only the rooms `app` and `cli` know that there is a file.
//!
//! [`document`] parses the text into a tree with positions, and validates the tree against the schema of the [`raw`]
//! types. [`validate`] converts the valid parts to the settings of each room: a [`Config`]. Each step collects all problems, so
//! that one run of `vestibule check` reports all of them. Start at [`load`].

pub mod document;
pub(crate) mod keys;
pub(crate) mod raw;
pub mod reference;
mod settled;
pub(crate) mod validate;

use std::net::SocketAddr;

use serde::Deserialize as _;

use crate::admin;
use crate::config::document::diagnostic::Diagnostics;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::document::source::{MissingKeys, Source};
use crate::config::document::{parse, secrets, shape, tree};
use crate::config::validate::context::Context;

pub use crate::config::settled::Config;
pub(crate) use crate::config::settled::{ListenerConfig, ProviderConfig, RuleConfig, ShutdownConfig, UserPoolConfig};

/// Loads and validates a configuration.
///
/// # Errors
///
/// Returns all problems, each with its position and a hint.
pub fn load(source: &Source, missing_keys: MissingKeys) -> Result<Config, Diagnostics> {
    let mut found = Findings::default();
    let parsed = parse::parse(&source.text, &source.environment, &mut found);
    let (config, found) = match &parsed {
        Ok(parsed) => checked(&parsed.root, source, missing_keys, found),
        Err(reported) => (Err(*reported), found),
    };
    let (root, shown) = match &parsed {
        Ok(parsed) => (Some(&parsed.root), secrets::hide(&source.text, parsed, &reference::SCHEMA)),
        Err(Reported { .. }) => (None, secrets::hide_unparsed(&source.text, &reference::SCHEMA)),
    };
    let diagnostics = Diagnostics::new(source.name.clone(), shown, found.located(root));
    match config {
        Ok(config) => Ok(Config { warnings: diagnostics, ..config }),
        Err(Reported { .. }) => Err(diagnostics),
    }
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
    missing_keys: MissingKeys,
    mut found: Findings,
) -> (Result<Config, Reported>, Findings) {
    let sound = match shape::check(root, &reference::SCHEMA, &mut found) {
        Ok(sound) => sound,
        Err(reported) => return (Err(reported), found),
    };
    match raw::File::deserialize(sound) {
        Ok(raw) => {
            let protected = validate::protected(&raw);
            let mut context = Context { source, missing_keys, found, notes: Vec::new(), root, protected };
            let config = validate::file(&raw, &mut context);
            (config, context.found)
        }
        Err(error) => {
            // The schema accepted a value that the types do not accept: a bug of ours, reported as an error.
            let reported = found.problem(&Path::default(), format!("the file cannot be read: {error}")).reported();
            (Err(reported), found)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

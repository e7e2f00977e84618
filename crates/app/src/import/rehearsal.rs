//! Whether `check` accepts a draft, before the operator has provided the files that it names.
//!
//! The draft is written with all its files below a temporary folder, where each has a stand-in: a certificate for no real name, a secret of
//! no use. Then it is loaded as `check` loads it. What `check` refuses inside a rule closes that rule.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::{self, MissingKeys};
use crate::crypto::octets;
use crate::import::draft::{Draft, Need, everything};
use crate::import::ledger::Ledger;
use crate::import::yaml::{self, Files};

/// How often rules are closed and the rest is loaded again. A rule that was closed can be refused once more for its conditions.
const ROUNDS_MAX: usize = 4;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder for the stand-ins could not be made.
    #[error("cannot write to the folder for temporary files: {0}")]
    Folder(#[from] io::Error),
    /// The stand-in of a certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// What was made is refused, and not within a rule.
    #[error("the result would not pass `vestibule check`:\n{0}")]
    Refused(Diagnostics),
}

/// Closes what `check` refuses, until it refuses nothing. Returns its warnings.
pub(crate) fn settle(draft: &mut Draft, ledger: &mut Ledger) -> Result<Diagnostics, Error> {
    let folder = Folder::new()?;
    provide(draft, &folder.0)?;
    let mut round = 0;
    loop {
        round += 1;
        let text = yaml::write(&[], &draft.document(), Files::Below(&folder.0));
        let variables: BTreeMap<&str, &str> = draft.needs.keys().map(|name| (name.as_str(), STAND_IN)).collect();
        let source = Source::text("the result", &folder.0, &text).with_environment(variables);
        match config::load(&source, MissingKeys::Make) {
            Ok(config) => return Ok(config.warnings().clone()),
            Err(refused) if round < ROUNDS_MAX && close_refused(draft, ledger, &refused) => {}
            Err(refused) => return Err(Error::Refused(refused)),
        }
    }
}

/// In place of secrets.
const STAND_IN: &str = "a-stand-in-for-a-secret-of-the-operator";

/// Closes the rules in which there is an error. `false` if there is one elsewhere.
fn close_refused(draft: &mut Draft, ledger: &mut Ledger, refused: &Diagnostics) -> bool {
    // Rules are written by priority.
    draft.listeners.iter_mut().for_each(|listener| listener.rules.sort_by_key(|rule| rule.priority));
    let mut conditions = BTreeSet::new();
    for (path, message) in refused.errors() {
        let Some(condition) = close_at(draft, ledger, path, message) else { return false };
        conditions.extend(condition);
    }
    // Without the condition, the rule takes more requests. It is closed. From the last on, so that the places of the others stay.
    for (listener, rule, condition) in conditions.into_iter().rev() {
        let rule = &mut draft.listeners[listener].rules[rule];
        rule.conditions.remove(condition);
        if rule.conditions.is_empty() {
            rule.conditions.push(everything());
        }
    }
    true
}

/// Closes the rule at this path. `None` if the path is not within a rule. Returns the condition that has to go: listener, rule, condition.
fn close_at(
    draft: &mut Draft,
    ledger: &mut Ledger,
    path: &str,
    message: &str,
) -> Option<Option<(usize, usize, usize)>> {
    let (listener_index, rest) = index_after(path, "listeners")?;
    let listener = draft.listeners.get_mut(listener_index)?;
    let why = format!("check refuses it: {message}");
    if rest.starts_with(".default_actions") && !listener.default.is_closed() {
        listener.default.close(&why);
        ledger.revoke(&listener.source, &why);
        return Some(None);
    }
    let (rule_index, rest) = index_after(rest.strip_prefix('.')?, "rules")?;
    let rule = listener.rules.get_mut(rule_index)?;
    let condition = rest.strip_prefix('.').and_then(|rest| index_after(rest, "conditions")).map(|(index, _)| index);
    let condition = condition.filter(|index| *index < rule.conditions.len());
    if condition.is_none()
        && (rule.chain.is_closed() || !rest.starts_with(".actions") && !rest.starts_with(".transforms"))
    {
        return None;
    }
    rule.close(&why);
    ledger.revoke(&rule.source, &why);
    Some(condition.map(|condition| (listener_index, rule_index, condition)))
}

/// `(2, ".b")` for `a[2].b` and the name `a`.
fn index_after<'p>(path: &'p str, name: &str) -> Option<(usize, &'p str)> {
    let (index, rest) = path.strip_prefix(name)?.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// Writes a stand-in for each file.
fn provide(draft: &Draft, folder: &Path) -> Result<(), Error> {
    let files = Files::Below(folder);
    for (name, need) in &draft.needs {
        match need {
            Need::Certificate { key } => {
                let made = rcgen::generate_simple_self_signed(["stand-in.invalid".to_owned()])?;
                put(&files.path(name), &made.cert.pem())?;
                put(&files.path(key), &made.signing_key.serialize_pem())?;
            }
            Need::ClientSecret => put(&files.path(name), STAND_IN)?,
            Need::Authorities { lists, .. } => authorities(&files.path(name), lists, files)?,
            Need::Directory => std::fs::create_dir_all(files.path(name))?,
            // Written with a certificate, by `MissingKeys::Make`, or no file.
            Need::PrivateKey | Need::Made { .. } | Need::Variable { .. } | Need::Revoked { .. } => {}
        }
    }
    Ok(())
}

/// An authority for each list of revoked certificates, with its list: two lists of one authority would be refused.
fn authorities(path: &Path, lists: &[String], files: Files<'_>) -> Result<(), Error> {
    let mut certificates = String::new();
    for place in 0..lists.len().max(1) {
        let mut params = rcgen::CertificateParams::new(Vec::new())?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("stand-in {place}"));
        let key = rcgen::KeyPair::generate()?;
        certificates.push_str(&params.self_signed(&key)?.pem());
        if let Some(list) = lists.get(place) {
            let revoked = rcgen::CertificateRevocationListParams {
                this_update: rcgen::date_time_ymd(2020, 1, 1),
                next_update: rcgen::date_time_ymd(2100, 1, 1),
                crl_number: rcgen::SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: Vec::new(),
                key_identifier_method: rcgen::KeyIdMethod::Sha256,
            };
            put(&files.path(list), &revoked.signed_by(&rcgen::Issuer::from_params(&params, &key))?.pem()?)?;
        }
    }
    Ok(put(path, &certificates)?)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Otherwise `check` warns that everybody can read it.
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// A folder that nobody else can read, until it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("vestibule-import-{}", &octets::token()[..16]));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left has no secret in it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;

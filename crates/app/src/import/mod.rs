//! Turns the configuration of another system into one of Vestibule.
//!
//! Each importer reads its input into a [`draft`] and says in a [`ledger`] what became of each setting. [`rehearsal`] holds the draft
//! against what `check` accepts, and [`yaml`] writes it. The room fails closed: what cannot be carried over closes the rule that had it, so that
//! no request reaches a target that it did not reach before. It knows nothing of files and terminals; `cli` does. Start at [`elbv2()`].

mod apache;
mod claim_headers;
mod documents;
mod draft;
mod elbv2;
mod expression;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod ingress;
mod ledger;
mod oauth2_proxy;
mod outcome;
mod rehearsal;
mod text;
mod yaml;

use crate::import::draft::Draft;
use crate::import::ledger::Ledger;
use crate::import::outcome::escaped;

pub(crate) use crate::import::apache::Include;
pub(crate) use crate::import::oauth2_proxy::{Asking, Wanted};
pub(crate) use crate::import::outcome::{Error, Imported};
pub(crate) use crate::import::text::Input;

/// Imports the JSON of `aws elbv2 describe-…`.
///
/// # Errors
///
/// What cannot be read, or cannot be carried over as a whole.
pub(crate) fn elbv2(inputs: &[Input]) -> Result<Imported, Error> {
    finish(elbv2::read(inputs))
}

/// Imports Ingress objects of the AWS Load Balancer Controller.
///
/// # Errors
///
/// As [`elbv2()`].
pub(crate) fn ingress(inputs: &[Input]) -> Result<Imported, Error> {
    finish(ingress::read(inputs))
}

/// Imports files of oauth2-proxy and flags, as the command line wants it.
///
/// # Errors
///
/// As [`elbv2()`].
pub(crate) fn oauth2_proxy(inputs: &[Input], flags: &[String], wanted: Wanted) -> Result<Imported, Error> {
    finish(oauth2_proxy::read(inputs, flags, wanted))
}

/// Imports an Apache configuration with mod_auth_openidc. `include` finds the files of an `Include`, by what it says and the `ServerRoot`.
///
/// # Errors
///
/// As [`elbv2()`].
pub(crate) fn mod_auth_openidc(inputs: &[Input], defines: &[String], include: Include<'_>) -> Result<Imported, Error> {
    finish(apache::read(inputs, defines, include))
}

fn finish(read: Result<(Draft, Ledger), String>) -> Result<Imported, Error> {
    let (draft, ledger) = read.map_err(|error| Error::Input(escaped(&error).into_owned()))?;
    outcome::finish(draft, ledger)
}

#[cfg(test)]
mod tests;

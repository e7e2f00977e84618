//! What signs the tokens of a pool.

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::validate::context::Context;
use crate::config::validate::keys;
use crate::jose::signing_key::{Algorithm, PublicKey, SigningKey};

/// The keys of files. A pool that makes its keys itself has none.
pub(super) struct SigningKeys {
    pub(super) signing_key: Result<Option<SigningKey>, Reported>,
    pub(super) rs256_signing_key: Result<Option<SigningKey>, Reported>,
    pub(super) other_keys: Result<Vec<PublicKey>, Reported>,
}

pub(super) fn signing_keys(raw: &UserPool, at: &Path, context: &mut Context<'_>) -> SigningKeys {
    let mut read = |file: &Option<String>, algorithm, key| {
        let file = file.as_ref().map(|file| keys::signing_key(file, algorithm, &at.key(key), context));
        file.transpose()
    };
    let mut signing_key = read(&raw.signing_key_file, Algorithm::Es256, "signing_key_file");
    let rs256_signing_key = read(&raw.rs256_signing_key_file, Algorithm::Rs256, "rs256_signing_key_file");
    let other_keys = keys::public_keys(&raw.previous_key_files, None, &at.key("previous_key_files"), context);
    if raw.signing_key_file.is_none() {
        let others = [
            (raw.rs256_signing_key_file.is_some(), "rs256_signing_key_file"),
            (!raw.previous_key_files.is_empty(), "previous_key_files"),
        ];
        let other = others.into_iter().find(|(is_set, _)| *is_set);
        signing_key = match (&raw.store, other) {
            (None, _) => {
                let problem = context.found.problem(at, "`signing_key_file` is missing");
                let hint = "`vestibule keys signing --out FILE` creates the file; a pool with a `store` needs none";
                problem.lacks(&at.key("store")).hint(hint).fail()
            }
            (Some(_), Some((_, key))) => {
                let problem = context.found.problem(&at.key(key), "the pool makes its keys itself");
                problem.hint(format!("remove `{key}`, or add `signing_key_file`")).fail()
            }
            (Some(_), None) => signing_key,
        };
    }
    SigningKeys { signing_key, rs256_signing_key, other_keys }
}

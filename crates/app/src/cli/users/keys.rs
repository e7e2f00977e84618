//! The keys that a pool makes itself.

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::cli::users::output::{pretty, table};
use crate::clock::Clock;
use crate::user_pool::StoredUsers;
use crate::user_pool::keys::key::KeyRow;
use crate::user_pool::keys::tending::StoredKeys;
use crate::user_pool::settings::Settings;

/// Says which keys there are.
pub(super) async fn list(pool: &Settings, stored: &StoredUsers, as_json: bool) -> anyhow::Result<String> {
    Ok(text(&keys_of(pool, stored)?.list().await?, as_json))
}

/// Replaces the keys, and says which there are then.
pub(super) async fn rotate(
    pool: &Settings,
    stored: &StoredUsers,
    revoke: bool,
    as_json: bool,
) -> anyhow::Result<String> {
    let keys = keys_of(pool, stored)?;
    if revoke {
        keys.revoke().await?;
    } else {
        keys.replace_soon().await?;
    }
    keys.tend().await?;
    let listed = list(pool, stored, as_json).await?;
    Ok(match (as_json, revoke) {
        (true, _) => listed,
        (false, true) => {
            format!("The keys are replaced. Every token of before is invalid within a minute.\n\n{listed}")
        }
        (false, false) => {
            format!("The next keys are made, and sign after a day. Until then the present ones sign.\n\n{listed}")
        }
    })
}

fn keys_of(pool: &Settings, stored: &StoredUsers) -> anyhow::Result<StoredKeys> {
    if pool.signing_key.is_some() {
        bail!("the keys of the pool `{}` are in files: `signing_key_file`", pool.name);
    }
    let store = pool.store.as_ref().context("the pool has a store")?;
    Ok(StoredKeys::new(stored, store.vault.clone(), pool.algorithms(), Clock::system()))
}

fn text(keys: &[KeyRow], as_json: bool) -> String {
    if as_json {
        let value = |key: &KeyRow| {
            json!({
                "kid": key.kid,
                "alg": key.algorithm.name(),
                "state": key.state.as_str(),
                "created_at": key.created_at.to_text(),
                "signs_until": key.signs_until.to_text(),
                "published_until": key.published_until.map(|until| until.to_text()),
            })
        };
        return pretty(&keys.iter().map(value).collect());
    }
    let mut rows = vec![["KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS UNTIL"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| {
        let [kid, algorithm, state] = [&key.kid, key.algorithm.name(), key.state.as_str()].map(str::to_owned);
        [kid, algorithm, state, key.created_at.to_text(), key.signs_until.to_text()]
    }));
    table(&rows)
}

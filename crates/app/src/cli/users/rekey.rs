//! `users rekey`: encrypts the columns of the database with another key.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::progress::{Progress, Unit};
use crate::cli::users::opened::{self, Of};
use crate::cli::users::output::pretty;
use crate::user_pool::rekey::Rekey;

/// Encrypts what is encrypted in the database with the first key of `store.key_files`, while the process serves.
///
/// Put the new key first in `key_files`, keep the former ones, and reload the process that serves. Half a minute later, run this command. If it is
/// interrupted, run it again. Run it once more a day later: when it says that none was encrypted anew (0), the former keys can be removed from
/// `key_files`. Backups that were made before still need them.
#[derive(Debug, clap::Args)]
pub(crate) struct RekeyCommand {
    #[command(flatten)]
    of: Of,
}

impl RekeyCommand {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let store = pool.settings.store.as_ref().context("the pool has a store")?;
            let rekey = Rekey::new(pool.stored.database.clone(), store.vault.clone());
            let encrypt = async {
                let mut progress = Progress::new("Encrypting", Unit::Items, rekey.total().await?, self.of.json);
                anyhow::Ok(rekey.run(|values| progress.add(values)).await?)
            };
            let counts = pool.taking_a_while("rekey", encrypt).await?;
            if counts.unreadable > 0 {
                eprintln!(
                    "{} values are encrypted with a key that is not in `key_files`: keep it, or they are lost.",
                    counts.unreadable
                );
            }
            let text = if self.of.json {
                let (changed, unchanged, unreadable) = (counts.changed, counts.unchanged, counts.unreadable);
                pretty(&json!({"changed": changed, "unchanged": unchanged, "unreadable": unreadable}))
            } else {
                format!("encrypted anew: {}, with the first key before: {}\n", counts.changed, counts.unchanged)
            };
            Ok((text, if counts.unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
        })
    }
}

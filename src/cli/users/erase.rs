//! `users erase`: nothing is left that tells who a user was.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::users::opened;
use crate::cli::users::output::pretty;
use crate::cli::users::stored::Of;

/// Deletes a user with everything that tells who the user was, from the file as well. The sign-in log and the audit keep what happened, under a random
/// name. Backups and the logs of the process are not changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    of: Of,
    /// The user name, or the `sub`.
    user: String,
}

impl Erase {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let is_emptied = pool.users.erase(&self.user, pool.now).await?;
            if !is_emptied {
                eprintln!(
                    "The write-ahead log is in use and was not emptied: its former contents go with the next hours, or when the process ends."
                );
            }
            let text =
                if self.of.json { pretty(&json!({"erased": true, "log_emptied": is_emptied})) } else { String::new() };
            Ok((text, ExitCode::SUCCESS))
        })
    }
}

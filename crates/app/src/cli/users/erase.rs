//! `users erase`: nothing is left that tells who a user was.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::users::opened::{self, Of};
use crate::cli::users::told::{SESSIONS_END, Told, named};
use crate::cli::users::whom::whom;

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
            let user = pool.users.show(&whom(&pool.users, &self.user).await?).await?;
            let is_emptied = pool.users.erase(&user.subject, pool.now).await?;
            if !is_emptied {
                eprintln!(
                    "The write-ahead log is in use and was not emptied: its former contents go with the next hours, or when the process ends."
                );
            }
            let text = format!(
                "{} is erased. {SESSIONS_END} Backups and the logs of the process still name the user: after a restore, erase the user again.",
                named(&user)
            );
            let object = json!({"sub": user.subject, "erased": true, "log_emptied": is_emptied});
            Ok((Told::new("user.erase", text, object).print(self.of.json), ExitCode::SUCCESS))
        })
    }
}

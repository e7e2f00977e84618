//! `users audit`: who has changed what.

use std::process::ExitCode;

use crate::cli::users::opened::{self, Of};
use crate::cli::users::output::{pretty, shown, table};
use crate::user_pool::events::audit::Entry;
use crate::user_pool::management::json;

/// Shows who has changed what, and who has read what of whom with a command. The newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    of: Of,
    /// Only what is about this user: the user name, or the `sub`, also of a user who was deleted.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// How many.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

impl Audit {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let entries = pool.users.audited(self.user.as_deref(), self.limit).await?;
            Ok((text(&entries, self.of.json), ExitCode::SUCCESS))
        })
    }
}

/// One line for each entry.
fn text(entries: &[Entry], as_json: bool) -> String {
    if as_json {
        return pretty(&entries.iter().map(json::entry).collect());
    }
    let mut rows = vec![["AT", "WHO", "WHAT", "OUTCOME", "USER", "DETAIL"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let [subject, detail] = [&entry.subject, &entry.detail].map(|text| shown(text.as_deref().unwrap_or_default()));
        [
            entry.at.to_text(),
            entry.actor.clone(),
            entry.operation.clone(),
            entry.outcome.as_str().to_owned(),
            subject,
            detail,
        ]
    }));
    table(&rows)
}

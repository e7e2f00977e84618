//! `users events`: the sign-in log.

use std::process::ExitCode;

use crate::cli::users::opened::{self, Of};
use crate::cli::users::output::{pretty, shown, table};
use crate::user_pool::events::event::Event;
use crate::user_pool::management::json;

/// Shows what users have done: sign-ins, also those that failed, sign-ups, and what concerns passwords and second factors. The newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    #[command(flatten)]
    of: Of,
    /// The user name, or the `sub`. Without it: everybody.
    user: Option<String>,
    /// Only attempts with names that nobody has. The names are not kept.
    #[arg(long, conflicts_with = "user")]
    unknown: bool,
    /// How many.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

impl Events {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let (users, reads) = (&pool.users, "user.events");
            let events = match &self.user {
                Some(user) => pool.reading(reads, Some(user), users.events(user, self.limit)).await?,
                None if self.unknown => users.events_of_nobody(self.limit).await?,
                None => pool.reading(reads, None, users.events_of_all(self.limit)).await?,
            };
            Ok((text(&events, self.of.json), ExitCode::SUCCESS))
        })
    }
}

/// One line for each event.
fn text(events: &[Event], as_json: bool) -> String {
    if as_json {
        return pretty(&events.iter().map(json::event).collect());
    }
    let mut rows = vec![["AT", "EVENT", "OUTCOME", "USER", "ADDRESS", "CLIENT", "BROWSER"].map(str::to_owned)];
    rows.extend(events.iter().map(|event| {
        let client = event.visit.client.as_deref().unwrap_or_default();
        [
            event.at.to_text(),
            event.kind.as_str().to_owned(),
            event.outcome(),
            if event.subject.is_empty() { "(nobody)".to_owned() } else { event.subject.clone() },
            event.visit.seen.address.clone(),
            shown(client),
            shown(&event.visit.seen.agent),
        ]
    }));
    table(&rows)
}

//! What commands for the users of a pool begin with: the configuration is read, and the database is opened.

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::terminal::print;
use crate::cli::users::stored::{self, Of};
use crate::clock::{Clock, Timestamp};
use crate::user_pool::StoredUsers;
use crate::user_pool::events::audit::Actor;
use crate::user_pool::management::Management;
use crate::user_pool::settings::Settings;

/// The users of a pool, as its configuration says.
pub(super) struct Opened<'c> {
    pub(super) settings: &'c Settings,
    pub(super) stored: StoredUsers,
    pub(super) users: Management,
    pub(super) now: Timestamp,
}

/// Opens the pool, does the work, and prints the text.
pub(super) fn run(
    of: &Of,
    work: impl AsyncFnOnce(Opened<'_>) -> anyhow::Result<(String, ExitCode)>,
) -> anyhow::Result<ExitCode> {
    let Some(config) = stored::load(of) else { return Ok(ExitCode::FAILURE) };
    let settings = stored::pool(&config, of.pool.as_deref())?;
    let now = Clock::system().now();
    let stored = stored::users_of(settings, now)?;
    let rules = Arc::clone(&settings.directory);
    let users = Management::new(stored.clone()).with_rules(rules).by(Actor::of_this_command());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (text, code) = runtime.block_on(work(Opened { settings, stored, users, now }))?;
    print(&text)?;
    Ok(code)
}

//! `retention` of a user pool.

use std::time::Duration;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::user_pool::events::settings::EventSettings;

const DAY: Duration = Duration::from_secs(86_400);
const EVENT_BOUNDS: (Duration, Duration) = (DAY, Duration::from_secs(2 * 366 * 86_400));
const AUDIT_BOUNDS: (Duration, Duration) = (DAY, Duration::from_secs(10 * 366 * 86_400));

/// How long rows are kept, or the default of a pool that says nothing. Only a pool with a `store` has them.
pub(super) fn retention(pool: &UserPool, pool_at: &Path, context: &mut Context<'_>) -> Result<EventSettings, Reported> {
    let (store, at) = (pool_at.key("store"), pool_at.key("retention"));
    let Some(raw) = &pool.retention else { return Ok(EventSettings::default()) };
    if pool.store.is_none() {
        let problem = context.found.problem(&at, "`retention` has no effect: this pool has no `store`");
        return problem.lacks(&store).hint("remove it, or add a `store`").fail();
    }
    let events = value::period(&raw.events, EVENT_BOUNDS, &at.key("events"), &mut context.found);
    let audit = value::period(&raw.audit, AUDIT_BOUNDS, &at.key("audit"), &mut context.found);
    Ok(EventSettings { events_kept: events?, audit_kept: audit? })
}

//! `mfa` of a user pool.

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::mfa::{Mfa, MfaFactor, MfaMode};
use crate::config::validate::context::Context;
use crate::user_pool::factors::settings::{Factor, Mode, Settings};

/// The second factors. Nobody is asked for one without the section, and in a pool without a database.
pub(super) fn mfa(
    raw: Option<&Mfa>,
    has_store: bool,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let Some(raw) = raw else { return Ok(Settings::default()) };
    if !has_store {
        let problem = context.found.problem(at, "second factors need a database: this pool has no `store`");
        return problem.hint("add `store`; users of `users` can have second factors, too").fail();
    }
    let factors = context.each_item(&raw.factors, &at.key("factors"), |factor, _, _| Ok(self::factor(*factor)))?;
    let groups = raw.groups.iter().map(|(name, mode)| (name.clone(), self::mode(*mode))).collect();
    let offered = Factor::ALL.into_iter().filter(|factor| factors.contains(factor)).collect();
    let settings = Settings { mode: mode(raw.mode), groups, factors: offered };
    if settings.factors.is_empty() && !settings.is_off() {
        let problem = context.found.problem(&at.key("factors"), "there is no second factor to ask for");
        return problem.hint("name one, or remove `mfa`").fail();
    }
    Ok(settings)
}

const fn mode(raw: MfaMode) -> Mode {
    match raw {
        MfaMode::Off => Mode::Off,
        MfaMode::Optional => Mode::Optional,
        MfaMode::Required => Mode::Required,
    }
}

const fn factor(raw: MfaFactor) -> Factor {
    match raw {
        MfaFactor::Totp => Factor::Totp,
    }
}

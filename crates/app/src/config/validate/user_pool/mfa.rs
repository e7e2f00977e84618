//! `mfa`, `passkeys` and `sign_in.first_factors` of a user pool.

use std::time::Duration;

use url::Url;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::mfa::{FirstFactor, Mfa, MfaFactor, MfaMode};
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::user_pool::credential::webauthn::RelyingParty;
use crate::user_pool::factors::settings::{Factor, Mode, Settings};
use crate::user_pool::self_service::settings::Address;

/// The shortest and the longest trust in a browser.
const BROWSER_BOUNDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(365 * 86_400));

/// The second factors and passkeys. Nobody is asked for a second factor without `mfa`, and in a pool without a database.
pub(super) fn mfa(raw: &UserPool, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let sections = [("mfa", raw.mfa.is_some()), ("passkeys", raw.passkeys.is_some())];
    if raw.store.is_none()
        && let Some((name, _)) = sections.into_iter().find(|(_, is_there)| *is_there)
    {
        let message = format!("`{name}` needs a database: this pool has no `store`");
        let problem = context.found.problem(&at.key(name), message);
        let problem = problem.lacks(&at.key("store"));
        return problem.hint("add `store`; users of `users` can have second factors, too").fail();
    }
    let mut settings = match &raw.mfa {
        Some(mfa) => second_factors(mfa, raw, at, context)?,
        None => Settings::default(),
    };
    let mut first = Vec::new();
    if let Some(sign_in) = &raw.sign_in {
        let (mail, at) = (at.key("mail"), at.key("sign_in").key("first_factors"));
        first = context.each_item(&sign_in.first_factors, &at, |factor, at, context| {
            if *factor != FirstFactor::EmailCode || raw.mail.is_some() {
                return Ok(*factor);
            }
            let problem = context.found.problem(at, "the pool has no `mail`, so no code can be sent");
            problem.lacks(&mail).hint("add `mail` to the pool").fail()
        })?;
    }
    settings.passkey_is_first = first.contains(&FirstFactor::Passkey);
    settings.email_code_is_first = first.contains(&FirstFactor::EmailCode);
    settings.relying_party_id = raw.passkeys.as_ref().and_then(|passkeys| passkeys.relying_party_id.clone());
    relying_party(raw, &settings, at, context)?;
    Ok(settings)
}

fn second_factors(raw: &Mfa, pool: &UserPool, pool_at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let at = pool_at.key("mfa");
    let factors = context.each_item(&raw.factors, &at.key("factors"), |factor, at, context| {
        let lacks = match factor {
            MfaFactor::Email if pool.mail.is_none() => "mail",
            MfaFactor::Sms if pool.sms.is_none() => "sms",
            _ => return Ok(self::factor(*factor)),
        };
        let problem = context.found.problem(at, format!("the pool has no `{lacks}`, so no code can be sent"));
        problem.lacks(&pool_at.key(lacks)).hint(format!("add `{lacks}` to the pool")).fail()
    })?;
    let groups = raw.groups.iter().map(|(name, mode)| (name.clone(), self::mode(*mode))).collect();
    let offered = Factor::ALL.into_iter().filter(|factor| factors.contains(factor)).collect();
    let at_browsers = at.key("remembered_browsers");
    let trusts_for = value::period(&raw.remembered_browsers, BROWSER_BOUNDS, &at_browsers, &mut context.found)?;
    if trusts_for.as_secs() % 86_400 != 0 {
        return context.found.problem(&at_browsers, "expected whole days, such as `30d`, or `0s` for never").fail();
    }
    let settings = Settings {
        mode: mode(raw.mode),
        groups,
        factors: offered,
        trusts_for: Some(trusts_for).filter(|lifetime| !lifetime.is_zero()),
        ..Settings::default()
    };
    if settings.factors.is_empty() && !settings.is_off() {
        let problem = context.found.problem(&at.key("factors"), "there is no second factor to ask for");
        return problem.hint("name one, or remove `mfa`").fail();
    }
    Ok(settings)
}

/// Checks that browsers make passkeys for the host of the issuer.
fn relying_party(raw: &UserPool, settings: &Settings, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let Some(issuer) = Url::parse(&raw.issuer).ok().filter(|_| settings.has_passkeys()) else { return Ok(()) };
    let host = issuer.host_str().unwrap_or_default();
    let id = settings.relying_party_id.as_deref().unwrap_or(host);
    if RelyingParty::new(id, [&issuer], host).is_ok() {
        return elsewhere(raw, id, &issuer, at, context);
    }
    match settings.relying_party_id {
        Some(_) => {
            let message = format!("`{id}` is neither the host of the issuer nor a domain above");
            context.found.problem(&at.key("passkeys").key("relying_party_id"), message).fail()
        }
        None => {
            let problem = context.found.problem(&at.key("issuer"), "passkeys need a host name, not an IP address");
            problem.hint("use a name, or take passkeys out of `mfa.factors` and `sign_in.first_factors`").fail()
        }
    }
}

/// Checks that passkeys are good on every host of the pool. Somebody who has to use one could not sign in elsewhere.
fn elsewhere(raw: &UserPool, id: &str, issuer: &Url, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let mut result = Ok(());
    for (index, domain) in raw.custom_domains.iter() {
        let mut url = issuer.clone();
        // A domain that is not a host name was told.
        let is_good = url.set_host(Some(domain)).is_err() || RelyingParty::new(id, [&url], id).is_ok();
        if !is_good {
            let message = format!("passkeys belong to `{id}`, and are worth nothing on `{domain}`");
            let problem = context.found.problem(&at.key("custom_domains").index(index), message);
            result = problem.hint("set `passkeys.relying_party_id` to a domain above all hosts of the pool").fail();
        }
    }
    result
}

/// An address that gets the codes of a second factor is not used to replace the password (pool §6.3). Checks that an address is left for it.
pub(super) fn recovery_is_possible(
    mfa: &Settings,
    recovery: &[Address],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    let is_factor = |address: &Address| mfa.is_factor(address.attribute(), Mode::Optional);
    if recovery.is_empty() || mfa.is_off() || !recovery.iter().all(is_factor) {
        return Ok(());
    }
    let message = "these are all the addresses of `recovery`, too: nobody could choose another password";
    let problem = context.found.problem(&at.key("mfa").key("factors"), message);
    problem.hint("take one of them out, or write `recovery: []`: then administrators set passwords").fail()
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
        MfaFactor::Passkey => Factor::Passkey,
        MfaFactor::Totp => Factor::Totp,
        MfaFactor::Email => Factor::Email,
        MfaFactor::Sms => Factor::Sms,
    }
}

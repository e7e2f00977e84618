//! `sign_up` and `recovery` of a user pool.

use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::directory::Usernames;
use crate::config::raw::user_pool::self_service as raw;
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::user_pool::self_service::settings::{Address, Settings, SignUp};

pub(super) fn self_service(pool: &UserPool, at: &Path, context: &mut Context<'_>) -> Result<Arc<Settings>, Reported> {
    for (key, is_there) in [("sign_up", pool.sign_up.is_some()), ("recovery", pool.recovery.is_some())] {
        if is_there && pool.store.is_none() {
            let problem = context.found.problem_at_key(&at.key(key), "the pool has no `store`");
            return problem.lacks(&at.key("store")).hint("it is for users in a database: add `store`").fail();
        }
    }
    let has = Has { mail: pool.mail.is_some(), sms: pool.sms.is_some() };
    let is_named_by_email = pool.sign_in.as_ref().is_some_and(|raw| raw.username == Usernames::Email);
    let sign_up = pool.sign_up.as_ref();
    let sign_up = sign_up.map(|raw| self::sign_up(raw, (has, is_named_by_email), at, context)).transpose()?;
    let recovery = match &pool.recovery {
        Some(raw) => addresses(raw, (has, at), &at.key("recovery"), context)?,
        None => has.all(),
    };
    let is_open = pool.sign_up.as_ref().is_some_and(|raw| raw.open == Some(true));
    Ok(Arc::new(Settings { sign_up: sign_up.filter(|_| is_open), recovery }))
}

/// What the pool can send.
#[derive(Clone, Copy)]
struct Has {
    mail: bool,
    sms: bool,
}

impl Has {
    fn all(self) -> Vec<Address> {
        [(self.mail, Address::Email), (self.sms, Address::PhoneNumber)]
            .into_iter()
            .filter_map(|(has, address)| has.then_some(address))
            .collect()
    }
}

fn sign_up(
    raw: &raw::SignUp,
    (has, is_named_by_email): (Has, bool),
    pool: &Path,
    context: &mut Context<'_>,
) -> Result<SignUp, Reported> {
    let at = pool.key("sign_up");
    let domains = context.each_item(&raw.allowed_domains, &at.key("allowed_domains"), |domain, at, context| {
        let is_domain = domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty())
            && domain.chars().all(|c| c.is_alphanumeric() || "-.".contains(c));
        if is_domain {
            return Ok(domain.to_lowercase());
        }
        let problem = context.found.problem(at, format!("`{domain}` is not the domain of an e-mail address"));
        problem.hint("write what is after the @: `example.com`").fail()
    });
    let verify = match &raw.verify {
        Some(raw) => addresses(raw, (has, pool), &at.key("verify"), context),
        None if has.mail => Ok(vec![Address::Email]),
        None => Ok(Vec::new()),
    };
    let (domains, verify) = (domains?, verify?);
    // One address is confirmed: the first of the list that the user gives.
    let is_email_confirmed = verify.first().is_none_or(|address| *address == Address::Email);
    if !is_email_confirmed && (is_named_by_email || !domains.is_empty()) {
        let why =
            if is_named_by_email { "users sign in with their e-mail address" } else { "`allowed_domains` is set" };
        let message =
            format!("{why}, and with this list a telephone number is confirmed instead of the e-mail address");
        let problem = context.found.problem(&at.key("verify"), message);
        return problem
            .hint("put `email` first: otherwise anybody can sign up with the address of somebody else")
            .fail();
    }
    Ok(SignUp { allowed_domains: domains, verify })
}

fn addresses(
    raw: &List<raw::Address>,
    (has, pool): (Has, &Path),
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<Address>, Reported> {
    context.each_item(raw, at, |address, at, context| {
        let (address, has, key) = match address {
            raw::Address::Email => (Address::Email, has.mail, "mail"),
            raw::Address::PhoneNumber => (Address::PhoneNumber, has.sms, "sms"),
        };
        if has {
            return Ok(address);
        }
        let problem = context.found.problem(at, format!("the pool has no `{key}`, so no code can be sent"));
        problem.lacks(&pool.key(key)).hint(format!("add `{key}` to the pool")).fail()
    })
}

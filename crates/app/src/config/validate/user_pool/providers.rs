//! `user_pools.*.identity_providers`: providers of the file at which users of a pool sign in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::settings::{AuthenticateKind, ProviderChoice};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::action::PROVIDERS_MAX;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::providers::{PoolProvider, ProviderAuthTime, ProviderMfa};
use crate::config::validate::action;
use crate::config::validate::choice::{self, Shown};
use crate::config::validate::context::Context;
use crate::user_pool::ANSWER_PATH;
use crate::user_pool::directory::attribute::STANDARD;
use crate::user_pool::directory::settings::Settings;
use crate::user_pool::federation::mapping::Mapping;
use crate::user_pool::federation::settings::ProviderSettings;

/// Maximum length of the name of a provider (pool §10.6). User names begin with it.
const NAME_MAX: usize = 32;
/// What `identity_provider=` calls the pool itself (pool §9.3).
const OURSELVES: &str = "COGNITO";
/// Maximum length of the name of a group.
const GROUP_MAX: usize = 128;

/// The providers of a pool, in the order of their names.
pub(super) fn providers(
    raw: &UserPool,
    at: &Path,
    shown: &Shown,
    rules: Option<&Settings>,
    context: &mut Context<'_>,
) -> Result<Vec<ProviderSettings>, Reported> {
    let (store, at) = (at.key("store"), at.key("identity_providers"));
    if raw.identity_providers.is_empty() {
        return Ok(Vec::new());
    }
    if raw.store.is_none() {
        let problem = context.found.problem_at_key(&at, "the pool has no `store` for the users of other providers");
        return problem.lacks(&store).hint("add `store: { sqlite: FILE, key_files: [FILE] }`").fail();
    }
    if raw.identity_providers.len() > PROVIDERS_MAX {
        let message = format!("{} providers; at most {PROVIDERS_MAX} are possible", raw.identity_providers.len());
        return context.found.problem_at_key(&at, message).fail();
    }
    let places: Vec<Path> = raw.identity_providers.keys().map(|name| at.key(name)).collect();
    let entries = raw.identity_providers.iter().zip(&places);
    // Every entry is checked before the first problem ends it.
    let checked: Vec<_> = entries.map(|((name, raw), at)| provider(name, raw, at, (shown, rules), context)).collect();
    let checked = checked.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (settings, choices): (Vec<_>, Vec<_>) = checked.into_iter().unzip();
    choice::apart(&choices, &places, &at, context)?;
    names_apart(&settings, &places, context)?;
    callbacks_apart(&settings, &places, context)?;
    Ok(settings)
}

fn provider(
    name: &str,
    raw: &PoolProvider,
    at: &Path,
    (shown, rules): (&Shown, Option<&Settings>),
    context: &mut Context<'_>,
) -> Result<(ProviderSettings, ProviderChoice), Reported> {
    let choice = choice::named(AuthenticateKind::Oidc(Arc::from(name)), shown, at, context);
    let sound_name = self::name(name, at, context);
    let scope = action::scope(&raw.scope, &at.key("scope"), context);
    let mapping = mapping(raw, rules, at, context);
    let names = declared(name, rules, at, context);
    let group = group(raw, &at.key("group"), context);
    let callback_path = callback_path(name, raw, &at.key("callback_path"), context);
    sound_name.and(names)?;
    let choice = choice?;
    let settings = ProviderSettings {
        name: Arc::from(name),
        title: Arc::clone(&choice.title),
        logo: choice.logo.clone(),
        email_domains: choice.email_domains.clone(),
        scope: scope?,
        mapping: mapping?,
        asks_for_second_factor: raw.mfa == ProviderMfa::Trusted,
        is_believed_to_ask: raw.auth_time == ProviderAuthTime::Optional,
        group: group?,
        callback_path: callback_path?,
    };
    Ok((settings, choice))
}

/// The name is part of user names, of the callback path and of requests of applications.
fn name(name: &str, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if !is_plain || name.len() > NAME_MAX || name.eq_ignore_ascii_case(OURSELVES) {
        let problem =
            context.found.problem_at_key(at, format!("`{name}` cannot be the name of a provider of a user pool"));
        return problem
            .hint(format!("use letters, digits, `-` and `.`, at most {NAME_MAX} characters, and not `{OURSELVES}`"))
            .fail();
    }
    Ok(())
}

/// Names that begin with that of the provider are for its users.
fn declared(name: &str, rules: Option<&Settings>, at: &Path, context: &mut Context<'_>) -> Result<(), Reported> {
    let Some(prefix) = Settings::reserved_prefix(name) else { return Ok(()) };
    let mut declared = rules.iter().flat_map(|rules| rules.declared.keys());
    match declared.find(|declared| declared.starts_with(&prefix)) {
        Some(user) => {
            let message = format!("the user `{user}` of `users` has a name that is for users of this provider");
            context.found.problem_at_key(at, message).hint("give the user another name").fail()
        }
        None => Ok(()),
    }
}

/// Without the rules of the directory, which have a problem, nothing is known of them.
fn mapping(
    raw: &PoolProvider,
    rules: Option<&Settings>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Mapping, Reported> {
    let by_default = || ["email", "name"].map(|name| (name.to_owned(), name.to_owned())).into();
    let attributes: BTreeMap<String, String> = raw.attributes.clone().unwrap_or_else(by_default);
    let mut sound = Ok(());
    for (name, claim) in &attributes {
        let at = at.key("attributes").key(name);
        let custom = rules.and_then(|rules| rules.custom.get(name));
        if !STANDARD.contains(&name.as_str()) && rules.is_some() && custom.is_none() {
            let known =
                STANDARD.iter().copied().chain(rules.iter().flat_map(|rules| rules.custom.keys().map(String::as_str)));
            let hint = format!("the attributes are: {}", known.collect::<Vec<_>>().join(", "));
            sound = context.found.problem_at_key(&at, format!("there is no attribute `{name}`")).hint(hint).fail();
        } else if custom.is_some_and(|custom| !custom.is_mutable) {
            let problem =
                context.found.problem_at_key(&at, format!("`{name}` cannot be changed, and is set at every sign-in"));
            sound = problem.hint("remove `mutable: false` of the attribute, or this line").fail();
        } else if claim.is_empty() {
            sound = context.found.problem(&at, "expected the name of a claim").fail();
        }
    }
    for name in rules.iter().flat_map(|rules| &rules.required).filter(|name| !attributes.contains_key(*name)) {
        let message = format!("no claim becomes `{name}`, which the pool requires of each user");
        sound = context.found.problem_at_key(at, message).hint(format!("add `{name}: CLAIM` to `attributes`")).fail();
    }
    sound.map(|()| Mapping::new(attributes))
}

fn group(raw: &PoolProvider, at: &Path, context: &mut Context<'_>) -> Result<Option<String>, Reported> {
    match &raw.group {
        Some(group) if group.trim() != group || !(1..=GROUP_MAX).contains(&group.chars().count()) => {
            context.found.problem(at, format!("the name of a group has 1 to {GROUP_MAX} characters")).fail()
        }
        group => Ok(group.clone()),
    }
}

fn callback_path(name: &str, raw: &PoolProvider, at: &Path, context: &mut Context<'_>) -> Result<Arc<str>, Reported> {
    let own = format!("{ANSWER_PATH}/{name}");
    match raw.callback_path.as_deref() {
        None => Ok(own.into()),
        Some(path) if path == own || path == ANSWER_PATH => Ok(path.into()),
        Some(path) => {
            let problem = context.found.problem(at, format!("`{path}` is not a callback path of this provider"));
            problem.hint(format!("remove it for `{own}`, or write `{ANSWER_PATH}`")).fail()
        }
    }
}

/// User names are the same in any case, so two providers would make users of one name.
fn names_apart(settings: &[ProviderSettings], places: &[Path], context: &mut Context<'_>) -> Result<(), Reported> {
    for (index, provider) in settings.iter().enumerate() {
        let is_same = |other: &ProviderSettings| other.name.eq_ignore_ascii_case(&provider.name);
        if let Some(first) = settings[..index].iter().position(is_same) {
            let message = format!("`{}` and `{}` differ only in case", settings[first].name, provider.name);
            let problem = context.found.problem_at_key(&places[index], message).label(&places[first], "the other one");
            return problem.hint("user names begin with the name, and are the same in any case").fail();
        }
    }
    Ok(())
}

/// RFC 9700 §4.4.2: with one address for two providers, one of them could have a user bring it the code of the other.
fn callbacks_apart(settings: &[ProviderSettings], places: &[Path], context: &mut Context<'_>) -> Result<(), Reported> {
    let shared: Vec<usize> =
        (0..settings.len()).filter(|index| &*settings[*index].callback_path == ANSWER_PATH).collect();
    let [first, second, ..] = shared[..] else { return Ok(()) };
    let at = places[second].key("callback_path");
    let problem =
        context.found.problem(&at, format!("two providers of the pool have the callback path `{ANSWER_PATH}`"));
    let problem = problem.label(&places[first].key("callback_path"), "the other one");
    problem.hint("one of them, if malicious, could obtain authorization codes of the other: remove one").fail()
}

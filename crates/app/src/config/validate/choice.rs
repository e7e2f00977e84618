//! `providers` of an action: the providers that its users choose from, and how each is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::settings::{AuthenticateKind, AuthenticateSettings, GateSettings, ProviderChoice};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::suggest;
use crate::config::raw;
use crate::config::raw::action::PROVIDERS_MAX;
use crate::config::raw::value::List;
use crate::config::settled::{ListenerConfig, ProviderConfig};
use crate::config::validate::context::Context;
use crate::config::validate::{authorize, pages, value};
use crate::oidc::settings::Settings;
use crate::page::logo;

/// Maximum size of all logos of one action, in bytes: strangers can ask for the page that shows them.
const LOGOS_BYTES_MAX: usize = 96 * 1024;
/// Maximum number of e-mail domains of a provider.
const EMAIL_DOMAINS_MAX: usize = 100;

/// How each provider of the file is shown.
pub(super) struct Shown(BTreeMap<AuthenticateKind, Result<ProviderChoice, Reported>>);

/// Reads how each provider and each user pool is shown.
pub(super) fn shown(raw: &raw::File, context: &mut Context<'_>) -> Shown {
    let mut shown = BTreeMap::new();
    for (name, provider) in &raw.identity_providers {
        let at = Path::default().key("identity_providers").key(name);
        let title = pages::title(provider.title.as_deref(), &at.key("title"), &mut context.found);
        let kind = AuthenticateKind::Oidc(Arc::from(name.as_str()));
        let parts = (title, provider.logo_file.as_ref(), &provider.email_domains);
        shown.insert(kind.clone(), one(kind, parts, &at, context));
    }
    for (name, pool) in &raw.user_pools {
        let at = Path::default().key("user_pools").key(name);
        // The title of its sign-in page is checked there.
        let title = Ok(pool.title.clone().filter(|title| !title.trim().is_empty()));
        let kind = AuthenticateKind::UserPool(Arc::from(name.as_str()));
        let parts = (title, pool.logo_file.as_ref(), &pool.email_domains);
        shown.insert(kind.clone(), one(kind, parts, &at, context));
    }
    Shown(shown)
}

fn one(
    kind: AuthenticateKind,
    (title, logo_file, domains): (Result<Option<String>, Reported>, Option<&String>, &List<String>),
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ProviderChoice, Reported> {
    let logo = logo_file.map(|file| pages::image(file, &at.key("logo_file"), context)).transpose();
    let domains_at = at.key("email_domains");
    let email_domains =
        value::each(domains, &domains_at, &mut context.found, |domain, at, found| authorize::domain(domain, at, found));
    if domains.iter().count() > EMAIL_DOMAINS_MAX {
        return context.found.problem(&domains_at, format!("more than {EMAIL_DOMAINS_MAX} domains")).fail();
    }
    let plain = ProviderChoice::plain(kind);
    Ok(ProviderChoice {
        title: title?.map_or_else(|| Arc::clone(&plain.title), Arc::from),
        logo: logo?,
        email_domains: email_domains?,
        ..plain
    })
}

/// A provider that a key of an action names.
pub(super) fn named(
    kind: AuthenticateKind,
    shown: &Shown,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ProviderChoice, Reported> {
    let (section, what) = match &kind {
        AuthenticateKind::Oidc(_) => ("identity_providers", "provider"),
        AuthenticateKind::UserPool(_) => ("user_pools", "user pool"),
    };
    context.refer(kind.name(), section, what, at)?;
    // An entry that has another problem is not there. Its problem is reported.
    shown.0.get(&kind).cloned().unwrap_or_else(|| Ok(ProviderChoice::plain(kind)))
}

/// `provider` or `providers` of an action. `None` if it has neither.
pub(super) fn providers(
    (provider, providers): (Option<&String>, Option<&List<String>>),
    shown: &Shown,
    at: &Path,
    context: &mut Context<'_>,
) -> Option<Result<Vec<ProviderChoice>, Reported>> {
    match (provider, providers) {
        (None, None) => None,
        (Some(name), None) => {
            let kind = AuthenticateKind::Oidc(Arc::from(name.as_str()));
            Some(named(kind, shown, &at.key("provider"), context).map(|one| vec![one]))
        }
        (None, Some(names)) => Some(several(names, shown, &at.key("providers"), context)),
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("providers"), "both `provider` and `providers` are set");
            Some(problem.label(&at.key("provider"), "the other one").hint("keep one of them").fail())
        }
    }
}

fn several(
    names: &List<String>,
    shown: &Shown,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<ProviderChoice>, Reported> {
    let count = names.iter().count();
    if count > PROVIDERS_MAX {
        let message = format!("{count} providers; at most {PROVIDERS_MAX} are possible");
        return context
            .found
            .problem(at, message)
            .hint("give some users a rule of their own, with other `providers`")
            .fail();
    }
    let choices = context.each_item(names, at, |name, at, context| by_name(name, shown, at, context))?;
    if choices.is_empty() {
        return context.found.problem(at, "the list is empty").hint("name at least one provider").fail();
    }
    let places: Vec<Path> = names.iter().map(|(index, _)| at.index(index)).collect();
    apart(&choices, &places, at, context).map(|()| choices)
}

/// Checks that users can tell providers apart that one page offers, that a domain chooses one of them, and that the page is not too large.
pub(super) fn apart(
    choices: &[ProviderChoice],
    places: &[Path],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    let mut sound = Ok(());
    for (index, choice) in choices.iter().enumerate() {
        let before = || choices[..index].iter().zip(places);
        if let Some((_, first)) = before().find(|(other, _)| other.kind == choice.kind) {
            let message = format!("`{}` is listed twice", choice.kind.name());
            let problem = context.found.problem(&places[index], message).label(first, "first listed here");
            sound = problem.hint("remove one of them").fail();
        } else if let Some((other, first)) = before().find(|(other, _)| other.title == choice.title) {
            let (one, two) = (other.kind.name(), choice.kind.name());
            let message = format!("`{one}` and `{two}` have the same title `{}`", choice.title);
            let problem = context.found.problem(&places[index], message).label(first, "the other one");
            sound = problem.hint("users could not tell them apart: give one of them another `title`").fail();
        }
        let is_known = |domain: &&String| before().any(|(other, _)| other.email_domains.contains(*domain));
        if let Some(domain) = choice.email_domains.iter().find(is_known) {
            let message = format!("`{domain}` is in `email_domains` of two of these providers");
            let problem = context.found.problem(&places[index], message);
            sound = problem.hint("a domain chooses one provider: remove it from the others").fail();
        }
    }
    let bytes: usize = choices.iter().filter_map(|choice| choice.logo.as_ref()).map(logo::Logo::bytes).sum();
    if bytes > LOGOS_BYTES_MAX {
        let message =
            format!("the logos of these providers are {bytes} bytes of a page; at most {LOGOS_BYTES_MAX} are possible");
        return context.found.problem(at, message).hint("use smaller files for `logo_file`").fail();
    }
    sound
}

/// An entry of `providers`: a provider, or a user pool.
fn by_name(name: &str, shown: &Shown, at: &Path, context: &mut Context<'_>) -> Result<ProviderChoice, Reported> {
    let (oidc, pools) = (context.names("identity_providers"), context.names("user_pools"));
    let is_in = |names: &[String]| names.iter().any(|known| known == name);
    let kind = match (is_in(&oidc), is_in(&pools)) {
        (true, false) => AuthenticateKind::Oidc(Arc::from(name)),
        (false, true) => AuthenticateKind::UserPool(Arc::from(name)),
        (true, true) => {
            let problem = context.found.problem(at, format!("`{name}` is a provider and a user pool"));
            return problem.hint("give one of them another name").fail();
        }
        (false, false) => {
            let hint = suggest::hint(name, oidc.iter().chain(&pools).map(String::as_str));
            let hint = hint.unwrap_or_else(|| "define it in `identity_providers` or `user_pools`".to_owned());
            let problem = context.found.problem(at, format!("there is no provider and no user pool `{name}`"));
            return problem.hint(hint).fail();
        }
    };
    named(kind, shown, at, context)
}

/// Refuses two providers of one action with one callback path (RFC 9700 §4.4.2). One of them, if malicious, could have the user bring it the
/// authorization code of the other. Two clients of one issuer are no danger to each other, and a user pool always sends `iss`.
pub(super) fn callbacks(
    listeners: &[ListenerConfig],
    providers: &[ProviderConfig],
    default: &str,
    context: &mut Context<'_>,
) {
    let chains = listeners.iter().flat_map(ListenerConfig::chains);
    let choices = chains.flat_map(|chain| &chain.gates).filter_map(GateSettings::authenticate);
    let mut refused: Vec<(&Settings, &Settings)> = Vec::new();
    for choice in choices.filter(|gate| gate.providers.len() > 1) {
        let of_choice: Vec<&Settings> =
            providers.iter().map(|provider| &provider.settings).filter(|provider| is_among(choice, provider)).collect();
        let path = |provider: &Settings| provider.callback_path.as_deref().unwrap_or(default).to_owned();
        for (index, provider) in of_choice.iter().enumerate() {
            let shares = |other: &&&Settings| path(other) == path(provider) && other.issuer != provider.issuer;
            let Some(other) = of_choice[..index].iter().find(shares) else { continue };
            if refused.iter().any(|(one, two)| one.name == other.name && two.name == provider.name) {
                continue;
            }
            refused.push((*other, *provider));
            let message = format!(
                "`{}` and `{}` are providers of one action and have the same callback path `{}`: one of them, if malicious, could \
                 obtain authorization codes of the other",
                other.name,
                provider.name,
                path(provider)
            );
            let at = Path::default().key("identity_providers");
            let problem = context.found.problem(&at.key(&provider.name), message);
            let problem = problem.label(&at.key(&other.name), "the other one");
            problem.hint(format!(
                "set `callback_path: {default}/{}`, and register that address with the provider",
                provider.name
            ));
        }
    }
}

fn is_among(choice: &AuthenticateSettings, provider: &Settings) -> bool {
    choice.is_with(&AuthenticateKind::Oidc(Arc::clone(&provider.name)))
}

//! The sign-in, and what it asks of users.

use std::time::Duration;

use crate::import::draft::{Draft, Login};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::options::Options;
use crate::import::oauth2_proxy::provider::{self, Provider, Together};
use crate::import::yaml::{Map, Yaml};

const TIMEOUT_MAX: Duration = Duration::from_secs(604_800);
/// Nobody has it (RFC 2606).
const NOBODY: &str = "nobody@nobody.invalid";
const NO_DOMAIN: &str = "nobody.invalid";

/// What each rule has that asks for a sign-in.
pub(super) struct Gate {
    pub(super) login: Login,
    /// What is asked of users behind the sign-in.
    pub(super) gates: Vec<Map>,
    /// Why nobody may come in.
    pub(super) closed: Option<String>,
}

pub(super) fn gate(options: &Options, draft: &mut Draft, ledger: &mut Ledger) -> Result<Gate, String> {
    let callback = callback(options, draft, ledger);
    let is_one_of_several = !options.others().is_empty();
    let all = std::iter::once(options).chain(options.others()).enumerate();
    let providers: Result<Vec<Provider>, String> = all
        .map(|(number, options)| {
            let number = is_one_of_several.then_some(number);
            provider::provider(options, (number, &callback), draft, ledger)
        })
        .collect();
    let providers = providers?;
    let Together { groups, gate, scope, closed } = provider::together(&providers);
    let mut names: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
    names.dedup();
    let mut login = login(options, (names.remove(0), names), &scope, ledger)?;
    login.bearer = bearer(options, &providers, ledger);
    let gates = any_address(options, ledger).into_iter().chain(gate).collect();
    let closed = restrictions(options, &mut login.settings, ledger).or(closed);
    if let Some((groups, claim)) = groups {
        login.settings.set("allowed_groups", Yaml::from(&groups[..]));
        login.settings.set("groups_claim", claim);
    }
    Ok(Gate { login, gates, closed })
}

/// `skip_jwt_bearer_tokens`: a token in place of a session. Its audience is the client ID, or one that an option names.
fn bearer(options: &Options, providers: &[Provider], ledger: &mut Ledger) -> Option<Map> {
    let setting = options.get("skip_jwt_bearer_tokens")?;
    if !options.is_on("skip_jwt_bearer_tokens") {
        ledger.kept(&setting.path, "off");
        return None;
    }
    let [Provider { issuer, .. }] = providers else {
        // The audiences of one provider would count for tokens of another one, too.
        ledger.changed(&setting.path, "with several providers, tokens are answered 401: write session-or-bearer");
        for name in ["oidc_extra_audiences", "extra_jwt_issuers"] {
            options.get(name).into_iter().for_each(|setting| ledger.dropped(&setting.path, "tokens are answered 401"));
        }
        return None;
    };
    ledger.changed(
        &setting.path,
        "session-or-bearer: a token that says that it is an ID token is refused (token_type: id), and so is one beside a session of another user",
    );
    let mut audiences = options.values("client_id");
    audiences.extend(options.values("oidc_extra_audiences"));
    if let Some(setting) = options.get("oidc_extra_audiences") {
        ledger.changed(&setting.path, "bearer.audience; the audience of a sign-in must be the client ID");
    }
    if let Some(setting) = options.get("extra_jwt_issuers") {
        let mut lost = Vec::new();
        for pair in &setting.values {
            match pair.split_once('=') {
                Some((other, audience)) if other == issuer.as_str() => audiences.push(audience.to_owned()),
                _ => lost.push(pair.as_str()),
            }
        }
        if lost.is_empty() {
            ledger.kept(&setting.path, "bearer.audience");
        } else {
            let why = format!(
                "without {}: a rule accepts tokens of one issuer, and others are answered 401",
                lost.join(", ")
            );
            ledger.changed(&setting.path, &why);
        }
    }
    audiences.dedup();
    Some(Map::default().with("audience", &audiences[..]))
}

/// The redirect URI that is registered with the provider stays the same.
fn callback(options: &Options, draft: &mut Draft, ledger: &mut Ledger) -> String {
    let prefix = options.text("proxy_prefix").unwrap_or("/oauth2").to_owned();
    let path = options.text("redirect_url").and_then(|url| match url::Url::parse(url) {
        Ok(url) => Some(url.path().to_owned()),
        Err(_) => url.starts_with('/').then(|| url.to_owned()),
    });
    let path = path.filter(|path| path.len() > 1).unwrap_or_else(|| format!("{prefix}/callback"));
    draft.session.set("path_prefix", prefix);
    if let Some(setting) = options.get("redirect_url") {
        ledger.kept(&setting.path, "callback_path, on every host");
    }
    if let Some(setting) = options.get("proxy_prefix") {
        ledger.kept(&setting.path, "session.path_prefix");
    }
    path
}

fn login(
    options: &Options,
    (provider, others): (String, Vec<String>),
    scope: &str,
    ledger: &mut Ledger,
) -> Result<Login, String> {
    let mut settings = Map::default().with("scope", scope);
    let expire = options.text("cookie_expire").unwrap_or("168h");
    let expire = duration(expire).ok_or_else(|| format!("cookie_expire `{expire}` is no duration"))?;
    settings.set("session_timeout", expire.clamp(Duration::from_secs(1), TIMEOUT_MAX));
    if let Some(setting) = options.get("cookie_expire") {
        if expire > TIMEOUT_MAX || expire.is_zero() {
            ledger.changed(&setting.path, "within 1 second and 7 days");
        } else {
            ledger.kept(&setting.path, "session_timeout");
        }
    }
    if let Some(setting) = options.get("cookie_samesite") {
        match setting.values[0].to_ascii_lowercase().as_str() {
            value @ ("lax" | "strict" | "none") => {
                settings.set("session_cookie_same_site", value);
                ledger.kept(&setting.path, "session_cookie_same_site");
            }
            _ => ledger.changed(&setting.path, "lax"),
        }
    }
    let mut params = Map::default();
    for name in ["prompt", "acr_values"] {
        if let Some(setting) = options.get(name) {
            params.set(name, setting.values[0].as_str());
            ledger.kept(&setting.path, "authentication_request_extra_params");
        }
    }
    if !params.is_empty() {
        settings.set("authentication_request_extra_params", params);
    }
    let cookie = options.text("cookie_name").map(str::to_owned);
    if let Some(setting) = options.get("cookie_name") {
        ledger.kept(&setting.path, "session_cookie_name; users sign in once more");
    }
    Ok(Login { provider, others, cookie, settings, bearer: None })
}

/// A duration of Go: `168h0m0s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut total, mut number) = (0_u64, String::new());
    for letter in text.chars() {
        let unit = match letter {
            digit if digit.is_ascii_digit() => {
                number.push(digit);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    (number.is_empty() || number == "0").then(|| Duration::from_secs(total))
}

/// Whether `email_domains` has all of them.
fn has_all_domains(options: &Options) -> bool {
    options.values("email_domains").iter().any(|domain| domain == "*")
}

/// What is asked where all domains may come in: oauth2-proxy still refuses users without an address, and those whose provider says that it
/// is not verified.
fn any_address(options: &Options, ledger: &mut Ledger) -> Option<Map> {
    let setting = options.get("email_domains").filter(|_| has_all_domains(options))?;
    // Each user has a `sub`. Where the address is in another claim, everything is closed.
    if options.text("oidc_email_claim").is_some_and(|claim| claim != "email") {
        return None;
    }
    let nobody = Map::default().with("claim", "email").with("domain", &[NO_DOMAIN.to_owned()][..]);
    let mut gate = Map::default().with("type", "authorize").with("not", nobody);
    gate.comment("not", "An address of any domain, which the provider has to call verified.");
    ledger.changed(
        &setting.path,
        "authorize: all domains, and `email_verified` has to be true. Users and tokens without it are answered 403 (Microsoft Entra ID never sends it: docs/PROVIDERS.md)",
    );
    Some(gate)
}

/// Who may come in. A reason why nobody may, if a restriction cannot be carried over.
fn restrictions(options: &Options, settings: &mut Map, ledger: &mut Ledger) -> Option<String> {
    let mut closed = None;
    let domains = options.values("email_domains");
    let is_everybody = has_all_domains(options);
    // A domain that begins with a dot is all domains below it, which Vestibule cannot say.
    let plain: Vec<String> =
        domains.iter().filter(|domain| *domain != "*" && !domain.starts_with('.')).cloned().collect();
    let emails = options.get("authenticated_emails_file");
    if !is_everybody {
        if !plain.is_empty() {
            settings.set("allowed_email_domains", Yaml::from(&plain[..]));
        }
        if plain.is_empty() || emails.is_some() {
            settings.set("allowed_emails", &[NOBODY.to_owned()][..]);
            settings.comment(
                "allowed_emails",
                "Write the addresses of authenticated_emails_file here. Until then, none of them comes in.",
            );
        }
    }
    if let Some(setting) = options.get("email_domains") {
        match domains.iter().find(|domain| domain.starts_with('.')) {
            Some(domain) if !is_everybody => {
                ledger.changed(&setting.path, &format!("without {domain}: write each domain below it"))
            }
            _ => ledger.kept(&setting.path, "allowed_email_domains"),
        }
    }
    if let Some(setting) = emails {
        ledger.changed(&setting.path, "allowed_emails: write the addresses there; until then, none of them comes in");
    }
    if let Some(claim) = options.get("oidc_email_claim") {
        if claim.values[0] == "email" || (is_everybody && claim.values[0] == "sub") {
            ledger.kept(&claim.path, "who comes in");
        } else {
            let why = "authorize cannot compare e-mail addresses of another claim than `email`, nor ask that there is one (oidc_email_claim)";
            closed = Some(why.to_owned());
            ledger.dropped(&claim.path, "only the claim email has e-mail addresses");
        }
    }
    closed
}

//! The provider, the sign-in, and what it asks of users.

use std::time::Duration;

use crate::import::draft::{Draft, Login, Need};
use crate::import::elbv2::login::{host_of, provider};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::options::Options;
use crate::import::yaml::{Map, Yaml};

const TIMEOUT_MAX: Duration = Duration::from_secs(604_800);
/// Nobody has it (RFC 2606).
const NOBODY: &str = "nobody@nobody.invalid";
const NO_DOMAIN: &str = "nobody.invalid";
/// Providers that are OpenID providers.
const PROVIDERS: [&str; 6] = ["oidc", "keycloak-oidc", "google", "entra-id", "adfs", "cognito"];

/// What each rule has that asks for a sign-in.
pub(super) struct Gate {
    pub(super) login: Login,
    /// What is asked of users behind the sign-in.
    pub(super) gates: Vec<Map>,
    /// Why nobody may come in.
    pub(super) closed: Option<String>,
}

pub(super) fn gate(options: &Options, draft: &mut Draft, ledger: &mut Ledger) -> Result<Gate, String> {
    let kind = options.text("provider").unwrap_or("google").to_owned();
    if !PROVIDERS.contains(&kind.as_str()) {
        return Err(format!(
            "the provider `{kind}` is no OpenID provider: use one, for example Dex (docs/PROVIDERS.md)"
        ));
    }
    let default_issuer = (kind == "google").then_some("https://accounts.google.com");
    let issuer = options.text("oidc_issuer_url").or(default_issuer).ok_or("there is no oidc_issuer_url")?.to_owned();
    let mut settings = Map::default().with("issuer", issuer.as_str());
    settings.set("client_id", options.text("client_id").ok_or("there is no client_id")?);
    for (option, name) in [
        ("oidc_issuer_url", "issuer"),
        ("client_id", "client_id"),
        ("login_url", "authorization_endpoint"),
        ("redeem_url", "token_endpoint"),
        ("profile_url", "userinfo_endpoint"),
        ("oidc_jwks_url", "jwks_uri"),
    ] {
        if let Some(setting) = options.get(option) {
            settings.set(name, setting.values[0].as_str());
            ledger.kept(&setting.path, &format!("identity_providers[].{name}"));
        }
    }
    callback(options, &mut settings, draft, ledger);
    if let Some(setting) = options.get("client_secret_file") {
        let file = setting.values[0].clone();
        draft.needs(&file, Need::ClientSecret);
        settings.set("client_secret_file", Yaml::File(file));
        ledger.kept(&setting.path, "client_secret_file");
    }
    if let Some(setting) = options.get("client_secret") {
        ledger.changed(&setting.path, "a file, which you have to write");
    }
    for name in ["provider", "provider_display_name", "skip_oidc_discovery", "code_challenge_method"] {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "identity_providers"));
    }
    let name = provider(draft, &host_of(&issuer), settings);
    let mut login = login(options, name, ledger)?;
    login.bearer = bearer(options, &issuer, ledger);
    let gates = any_address(options, ledger).into_iter().collect();
    let closed = restrictions(options, &kind, &mut login.settings, ledger);
    headers(options, draft, ledger);
    Ok(Gate { login, gates, closed })
}

/// `skip_jwt_bearer_tokens`: a token in place of a session. Its audience is the client ID, or one that an option names.
fn bearer(options: &Options, issuer: &str, ledger: &mut Ledger) -> Option<Map> {
    let setting = options.get("skip_jwt_bearer_tokens")?;
    if !options.is_on("skip_jwt_bearer_tokens") {
        ledger.kept(&setting.path, "off");
        return None;
    }
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
                Some((other, audience)) if other == issuer => audiences.push(audience.to_owned()),
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
fn callback(options: &Options, settings: &mut Map, draft: &mut Draft, ledger: &mut Ledger) {
    let prefix = options.text("proxy_prefix").unwrap_or("/oauth2").to_owned();
    let path = options.text("redirect_url").and_then(|url| match url::Url::parse(url) {
        Ok(url) => Some(url.path().to_owned()),
        Err(_) => url.starts_with('/').then(|| url.to_owned()),
    });
    let path = path.filter(|path| path.len() > 1).unwrap_or_else(|| format!("{prefix}/callback"));
    settings.set("callback_path", path);
    draft.session.set("path_prefix", prefix);
    if let Some(setting) = options.get("redirect_url") {
        ledger.kept(&setting.path, "callback_path, on every host");
    }
    if let Some(setting) = options.get("proxy_prefix") {
        ledger.kept(&setting.path, "session.path_prefix");
    }
}

fn login(options: &Options, provider: String, ledger: &mut Ledger) -> Result<Login, String> {
    let mut settings = Map::default();
    let scope = options.text("scope").unwrap_or("openid email profile");
    let words: Vec<&str> = scope.split_whitespace().collect();
    let has_openid = words.contains(&"openid");
    settings.set("scope", if has_openid { words.join(" ") } else { format!("openid {}", words.join(" ")) });
    if let Some(setting) = options.get("scope") {
        ledger.kept(&setting.path, "scope");
    }
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
    Ok(Login { provider, others: Vec::new(), cookie, settings, bearer: None })
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
fn restrictions(options: &Options, kind: &str, settings: &mut Map, ledger: &mut Ledger) -> Option<String> {
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
    let mut groups = options.values("allowed_groups");
    groups.extend(options.values("keycloak_groups"));
    if !groups.is_empty() {
        settings.set("allowed_groups", Yaml::from(&groups[..]));
        settings.set("groups_claim", options.text("oidc_groups_claim").unwrap_or("groups"));
    }
    for name in ["allowed_groups", "keycloak_groups", "oidc_groups_claim"] {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "allowed_groups and groups_claim"));
    }
    for name in [
        "allowed_roles",
        "google_groups",
        "google_admin_email",
        "google_service_account_json",
        "allowed_entra_id_tenants",
        "oidc_audience_claims",
    ] {
        if let Some(setting) = options.get(name) {
            let why = format!("{name} restricts who comes in and cannot be carried over from {kind}: use authorize");
            ledger.dropped(&setting.path, &why);
            closed = closed.or(Some(why));
        }
    }
    closed
}

/// The headers that targets get by default.
fn headers(options: &Options, draft: &mut Draft, ledger: &mut Ledger) {
    if options.text("pass_user_headers").is_none() || options.is_on("pass_user_headers") {
        let groups = options.text("oidc_groups_claim").unwrap_or("groups");
        let user = options.text("user_id_claim").unwrap_or("sub");
        let headers = Map::default()
            .with("x-forwarded-user", user)
            .with("x-forwarded-email", "email")
            .with("x-forwarded-preferred-username", "preferred_username")
            .with("x-forwarded-groups", groups);
        draft.claims.set("headers", headers);
    }
    for name in ["pass_user_headers", "user_id_claim"] {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "claims.headers"));
    }
}

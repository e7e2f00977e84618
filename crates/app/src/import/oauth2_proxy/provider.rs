//! The providers: what each of them is, and what each of them asks of its users.
//!
//! oauth2-proxy reads a list of providers and signs users in at the first one only. The others count if the command line asks for that.

use crate::import::draft::{Draft, Need, name_like};
use crate::import::elbv2::login::{host_of, provider as named};
use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::options::Options;
use crate::import::yaml::{Map, Yaml};

/// Providers that are OpenID providers.
const KINDS: [&str; 6] = ["oidc", "keycloak-oidc", "google", "entra-id", "adfs", "cognito"];

/// A provider.
#[derive(Debug)]
pub(super) struct Provider {
    /// In `identity_providers`.
    pub(super) name: String,
    pub(super) issuer: String,
    scope: Vec<String>,
    /// The claim that has the address, that of the groups, and that of the user.
    claims: [String; 3],
    /// Only users in one of these come in. Empty: all.
    groups: Vec<String>,
    /// Why nobody may come in.
    pub(super) closed: Option<String>,
}

/// What all of them ask of users together.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// `allowed_groups` and its claim, if they are the same for all.
    pub(super) groups: Option<(Vec<String>, String)>,
    /// An `authorize` in its place.
    pub(super) gate: Option<Map>,
    pub(super) scope: String,
    pub(super) closed: Option<String>,
}

/// Reads a provider. `number` is `None` if it is the only one, otherwise its place.
///
/// # Errors
///
/// It cannot be carried over at all.
pub(super) fn provider(
    options: &Options,
    (number, callback): (Option<usize>, &str),
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<Provider, String> {
    let kind = options.text("provider").unwrap_or("google").to_owned();
    if !KINDS.contains(&kind.as_str()) {
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
    let wanted = choice(options, (number, callback), &host_of(&issuer), &mut settings, ledger);
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
    let name = named(draft, &wanted, settings);
    Ok(Provider {
        name,
        issuer,
        scope: scope(options, ledger),
        claims: [("oidc_email_claim", "email"), ("oidc_groups_claim", "groups"), ("user_id_claim", "sub")]
            .map(|(option, default)| options.text(option).unwrap_or(default).to_owned()),
        groups: groups(options, ledger),
        closed: closed(options, &kind, ledger),
    })
}

/// Where its sign-ins end, and how it is shown to users who choose. The name that it should have.
fn choice(
    options: &Options,
    (number, callback): (Option<usize>, &str),
    host: &str,
    settings: &mut Map,
    ledger: &mut Ledger,
) -> String {
    let id = options.text("providers[0].id").map(name_like).filter(|_| number.is_some());
    let wanted = id.unwrap_or_else(|| host.to_owned());
    // Two providers of one list must not have one address (RFC 9700 §4.4).
    let own_path = number.filter(|number| *number > 0).map(|_| format!("{callback}/{wanted}"));
    settings.set("callback_path", own_path.as_deref().unwrap_or(callback));
    if number.is_some()
        && let Some(setting) = options.get("providers[0].name")
    {
        settings.set("title", setting.values[0].as_str());
        ledger.kept(&setting.path, "identity_providers[].title");
    }
    if number.is_some()
        && let Some(setting) = options.get("providers[0].id")
    {
        let why = own_path.map(|path| format!("the name in identity_providers: register {path} with the provider"));
        match why {
            Some(why) => ledger.changed(&setting.path, &why),
            None => ledger.kept(&setting.path, "the name in identity_providers"),
        }
    }
    wanted
}

fn scope(options: &Options, ledger: &mut Ledger) -> Vec<String> {
    if let Some(setting) = options.get("scope") {
        ledger.kept(&setting.path, "scope");
    }
    options.text("scope").unwrap_or("openid email profile").split_whitespace().map(str::to_owned).collect()
}

fn groups(options: &Options, ledger: &mut Ledger) -> Vec<String> {
    for name in ["allowed_groups", "keycloak_groups", "oidc_groups_claim"] {
        options.get(name).into_iter().for_each(|setting| ledger.kept(&setting.path, "allowed_groups and groups_claim"));
    }
    let mut groups = options.values("allowed_groups");
    groups.extend(options.values("keycloak_groups"));
    groups
}

/// A reason why nobody may come in, if a restriction of the provider cannot be carried over.
fn closed(options: &Options, kind: &str, ledger: &mut Ledger) -> Option<String> {
    let mut closed = None;
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

/// What all providers ask together. `providers` is not empty.
pub(super) fn together(providers: &[Provider]) -> Together {
    let mut together = Together::default();
    let mut words: Vec<&str> = Vec::new();
    for word in std::iter::once("openid").chain(providers.iter().flat_map(|one| one.scope.iter().map(String::as_str))) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    // The order of the file, if it has `openid` already.
    let first = &providers[0].scope;
    together.scope = match providers {
        [only] if only.scope.iter().any(|word| word == "openid") => first.join(" "),
        _ => words.join(" "),
    };
    together.closed = providers.iter().find_map(|one| one.closed.clone());
    let first = &providers[0];
    if providers.iter().any(|one| one.claims != first.claims) {
        let why = "the providers have different claims for addresses, groups or users, and claims.headers has one for all of them";
        together.closed.get_or_insert(why.to_owned());
    }
    if providers.iter().all(|one| one.groups == first.groups) {
        together.groups = (!first.groups.is_empty()).then(|| (first.groups.clone(), first.claims[1].clone()));
    } else {
        let mut issuers: Vec<&str> = providers.iter().map(|one| one.issuer.as_str()).collect();
        issuers.sort_unstable();
        if issuers.windows(2).any(|pair| pair[0] == pair[1]) {
            let why =
                "two providers of one issuer let in different groups, and authorize cannot tell their users apart";
            together.closed.get_or_insert(why.to_owned());
        }
        let mut gate = Map::default().with("type", "authorize");
        gate.set("any", providers.iter().map(Provider::requirement).collect::<Vec<_>>());
        together.gate = Some(gate);
    }
    together
}

impl Provider {
    /// Users of this provider, in one of its groups.
    fn requirement(&self) -> Map {
        let issuer = Map::default().with("claim", "iss").with("equals", &[self.issuer.clone()][..]);
        if self.groups.is_empty() {
            return issuer;
        }
        let groups = Map::default().with("claim", self.claims[1].as_str()).with("contains", &self.groups[..]);
        Map::default().with("all", vec![issuer, groups])
    }
}

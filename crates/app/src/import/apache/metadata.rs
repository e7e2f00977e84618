//! The folder of `OIDCMetadataDir`: for each issuer a file with its metadata (`.provider`), one with the client (`.client`), and perhaps one with
//! settings (`.conf`), all of them JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::import::apache::client::{Secret, authentication};
use crate::import::apache::scope::Host;
use crate::import::apache::tree::{Directive, Include};
use crate::import::ledger::{At, Ledger};
use crate::import::text::Input;
use crate::import::yaml::Map;

/// Providers of which a user chooses one on a page of Vestibule.
const PROVIDERS_MAX: usize = 10;

/// An issuer of such a folder.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    /// Of an entry in `identity_providers`, without what the host says.
    pub(super) settings: Map,
    pub(super) secret: Secret,
    /// What its file `.conf` says in place of `OIDCScope`.
    scope: Option<String>,
    /// In place of `OIDCSessionMaxDuration`, in seconds.
    session: Option<u64>,
}

/// The folders of all hosts, by their names.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    folders: BTreeMap<String, Result<Vec<Issuer>, String>>,
}

impl Metadata {
    /// Reads the folders that hosts name.
    pub(super) fn read(hosts: &[Host<'_>], include: Include<'_>, root: Option<&str>, ledger: &mut Ledger) -> Self {
        let mut folders = BTreeMap::new();
        for directive in hosts.iter().filter_map(|host| host.last("oidcmetadatadir")) {
            let name = directive.word(0).to_owned();
            folders.entry(name).or_insert_with_key(|name| issuers(name, include, root, ledger));
        }
        Self { folders }
    }

    /// The issuers of a folder.
    ///
    /// # Errors
    ///
    /// In a sentence: nobody can sign in.
    pub(super) fn issuers(&self, directive: &Directive, ledger: &mut Ledger) -> Result<&[Issuer], String> {
        let found = self
            .folders
            .get(directive.word(0))
            .map_or(Err("it is not read".to_owned()), |found| found.as_deref().map_err(Clone::clone));
        match &found {
            Ok([_]) => ledger.kept(&directive.path, "identity_providers"),
            Ok(_) => {
                let what = "identity_providers, of which users choose one on a page of Vestibule. All but the first have a callback_path of their own: register it";
                ledger.changed(&directive.path, what);
            }
            Err(why) => ledger.dropped(&directive.path, why),
        }
        found.map_err(|why| format!("{}: {why}. Or write the providers into identity_providers, and their names into `providers` of each sign-in", directive.path))
    }
}

/// The scopes that issuers have, where `default` is the `OIDCScope`.
pub(super) fn scopes(issuers: &[Issuer], default: &str) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for scope in issuers.iter().flat_map(|issuer| issuer.scope.as_deref().unwrap_or(default).split_whitespace()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes.join(" ")
}

/// The shortest session that an issuer has.
pub(super) fn session(issuers: &[Issuer]) -> Option<Duration> {
    issuers.iter().filter_map(|issuer| issuer.session).min().map(Duration::from_secs)
}

fn issuers(folder: &str, include: Include<'_>, root: Option<&str>, ledger: &mut Ledger) -> Result<Vec<Issuer>, String> {
    if folder.is_empty() || folder.contains(['*', '?', '[']) {
        return Err("the folder has no name".to_owned());
    }
    let folder = folder.trim_end_matches('/');
    let mut files: BTreeMap<&str, Vec<(Input, Value)>> = BTreeMap::new();
    for kind in ["provider", "client", "conf"] {
        for input in include(&format!("{folder}/*.{kind}"), root)? {
            let value: Value =
                serde_json::from_str(&input.text).map_err(|_| format!("{}: it is no JSON", input.name))?;
            ledger.add(&At::root(&input.name, &value));
            files.entry(kind).or_default().push((input, value));
        }
    }
    let of = |kind: &str, stem: &str| {
        let mut all = files.get(kind).into_iter().flatten();
        all.find(|(input, _)| input.name.strip_suffix(kind).and_then(|name| name.strip_suffix('.')) == Some(stem))
    };
    let mut found: Vec<Issuer> = Vec::new();
    for (input, value) in files.get("provider").into_iter().flatten() {
        let stem = input.name.strip_suffix(".provider").unwrap_or(&input.name);
        let client =
            of("client", stem).ok_or_else(|| format!("{stem}.client is not there, so the client ID is not known"))?;
        let issuer = issuer((input, value), client, of("conf", stem), ledger)?;
        if found.iter().any(|known| known.issuer == issuer.issuer) {
            return Err(format!("{}: another file has this issuer, too", input.name));
        }
        found.push(issuer);
    }
    match found.len() {
        0 => Err(format!(
            "{folder} has no file that ends with .provider: Apache writes it when a user chooses the provider"
        )),
        1..=PROVIDERS_MAX => Ok(found),
        more => Err(format!("{more} providers, and a page has at most {PROVIDERS_MAX}")),
    }
}

type File<'f> = (&'f Input, &'f Value);

fn issuer(
    (provider, value): File<'_>,
    client: &(Input, Value),
    conf: Option<&(Input, Value)>,
    ledger: &mut Ledger,
) -> Result<Issuer, String> {
    let root = At::root(&provider.name, value);
    let issuer = root.text("issuer").ok_or_else(|| format!("{}: it has no issuer", provider.name))?.to_owned();
    ledger.kept(&format!("{}issuer", root.path), "identity_providers[].issuer");
    ledger.changed(&root.path, "the metadata is read from the issuer");
    let mut settings = Map::default().with("issuer", issuer.as_str());
    let client = At::root(&client.0.name, &client.1);
    let id = client.text("client_id").filter(|id| !id.is_empty());
    settings.set("client_id", id.ok_or_else(|| format!("{}it has no client_id", client.path))?);
    ledger.kept(&format!("{}client_id", client.path), "identity_providers[].client_id");
    ledger.changed(&format!("{}client_secret", client.path), "a file, which you have to write");
    let mut issuer = Issuer { issuer, settings, secret: Secret::None, scope: None, session: None };
    let mut method = None;
    if let Some((input, value)) = conf {
        let root = At::root(&input.name, value);
        if !value.is_object() {
            return Err(format!("{}it is no object", root.path));
        }
        for (key, at) in root.entries() {
            setting(key, &at, &mut issuer, ledger)?;
        }
        method = root.text("token_endpoint_auth").map(str::to_owned);
    }
    // What the registration says counts.
    let method = client.text("token_endpoint_auth_method").map(str::to_owned).or(method);
    let has_secret = client.text("client_secret").is_some_and(|secret| !secret.is_empty());
    issuer.secret = authentication(method.as_deref(), has_secret, &mut issuer.settings)
        .map_err(|why| format!("{}{why}", client.path))?;
    ledger
        .kept(&format!("{}token_endpoint_auth_method", client.path), "identity_providers[].token_endpoint_auth_method");
    ledger.dropped(&client.path, "about the registration of the client");
    Ok(issuer)
}

/// A setting of a file `.conf`.
fn setting(key: &str, at: &At<'_>, issuer: &mut Issuer, ledger: &mut Ledger) -> Result<(), String> {
    match key {
        "scope" => {
            issuer.scope = Some(at.value.as_str().ok_or_else(|| format!("{}: it is no text", at.path))?.to_owned());
            ledger.changed(&at.path, "scope: an action asks all of its providers for the same scopes");
        }
        "session_max_duration" => {
            let seconds = at.value.as_u64().filter(|seconds| *seconds > 0);
            issuer.session = Some(seconds.ok_or_else(|| format!("{}: no number of seconds", at.path))?);
            ledger.changed(&at.path, "session_timeout: the shortest of all providers of an action");
        }
        "token_endpoint_auth" => ledger.kept(&at.path, "identity_providers[].token_endpoint_auth_method"),
        "pkce_method" => ledger.changed(&at.path, "PKCE with S256: if the provider does not know it, set pkce: off"),
        "ssl_validate_server" | "validate_issuer" => ledger.dropped(&at.path, "always verified"),
        "response_type" | "response_mode" | "response_require_iss" => {
            ledger.dropped(&at.path, "always `code`, in the query")
        }
        "jwks_refresh_interval" | "idtoken_iat_slack" | "userinfo_refresh_interval" | "userinfo_token_method" => {
            ledger.dropped(&at.path, "Vestibule does it in a way of its own");
        }
        "client_name" | "client_contact" | "client_jwks_uri" | "registration_token" | "registration_endpoint_json" => {
            ledger.dropped(&at.path, "clients are not registered by Vestibule");
        }
        "logout_request_params" => {
            ledger.dropped(&at.path, "the sign-out at the provider has the parameters of OpenID Connect")
        }
        // An action has the same parameters for all providers, and one like `acr_values` may make a sign-in stronger.
        _ => return Err(format!("{}: it is not carried over", at.path)),
    }
    Ok(())
}

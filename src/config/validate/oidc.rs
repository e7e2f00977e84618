//! `identity_providers`.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::ProviderConfig;
use crate::config::path::Path;
use crate::config::raw::oidc::{self as written, IdentityProvider};
use crate::config::validate::{Context, keys, value};
use crate::crypto::provider;
use crate::oidc::settings::{ClientAuth, Endpoints, Logout, Settings, Userinfo};
use crate::secret::Secret;

const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(120));

pub(super) fn provider(
    name: &str,
    raw: &IdentityProvider,
    at: &Path,
    context: &mut Context<'_>,
) -> Option<ProviderConfig> {
    let issuer = issuer(&raw.issuer, &at.key("issuer"), context);
    if raw.client_id.is_empty() {
        context.found.problem(&at.key("client_id"), "the client id is empty");
    }
    let client_secret = client_secret(raw, at, context);
    let endpoints = endpoints(raw, at, context);
    let roots = match &raw.ca_file {
        Some(file) => keys::roots(file, &at.key("ca_file"), context).map(Some),
        None => {
            system_roots_exist(&raw.issuer, at, context);
            Some(None)
        }
    };
    let timeout = value::period(raw.timeout.as_ref(), TIMEOUT, TIMEOUT_BOUNDS, &at.key("timeout"), &mut context.found);
    let settings = Settings {
        name: Arc::from(name),
        issuer: issuer?,
        client_id: raw.client_id.clone(),
        client_secret: client_secret?,
        token_endpoint_auth_method: raw.token_endpoint_auth_method.map(client_auth),
        endpoints,
        userinfo: match raw.userinfo {
            written::Userinfo::Auto => Userinfo::Auto,
            written::Userinfo::Never => Userinfo::Never,
        },
        logout: match raw.logout {
            written::Logout::Auto => Logout::Auto,
            written::Logout::Cognito => Logout::Cognito,
            written::Logout::Never => Logout::Never,
        },
        timeout: timeout?,
    };
    Some(ProviderConfig { settings, roots: roots? })
}

/// A container without certificates could start, and sign nobody in.
fn system_roots_exist(issuer: &str, at: &Path, context: &mut Context<'_>) {
    if issuer.starts_with("https://") && provider::system_roots().is_empty() {
        let problem = context.found.problem(at, "the system has no certificate authorities to verify the provider by");
        problem.hint("install them (Debian: `ca-certificates`), or give `ca_file`");
    }
}

fn issuer(text: &str, at: &Path, context: &mut Context<'_>) -> Option<String> {
    let url = value::secure_url(text, at, &mut context.found)?;
    if url.query().is_some() {
        context.found.problem(at, format!("the issuer `{text}` has a query")).hint("OpenID Connect Core §2 forbids it");
        return None;
    }
    if let Some(issuer) = text.strip_suffix("/.well-known/openid-configuration") {
        context
            .found
            .problem(at, "this is the address of the metadata, not the issuer")
            .hint(format!("write `{issuer}`"));
        return None;
    }
    Some(text.to_owned())
}

/// A provider that expects a secret and gets none refuses every sign-in; so its absence must be said.
fn client_secret(raw: &IdentityProvider, at: &Path, context: &mut Context<'_>) -> Option<Option<Secret<String>>> {
    let keys = ("client_secret", "client_secret_file");
    let secret = keys::secret(raw.client_secret.as_ref(), raw.client_secret_file.as_ref(), keys, at, context)?;
    let public = raw.token_endpoint_auth_method == Some(written::ClientAuth::None);
    match (&secret, public) {
        (Some(_), true) => {
            let at = at.key("token_endpoint_auth_method");
            context.found.problem(&at, "a client secret is given, but `none` does not send it").hint("keep one");
            None
        }
        (None, false) if context.found.concern_keys_of(at) => None,
        (None, false) => {
            let problem = context.found.problem(at, "the provider has no client secret");
            problem.hint("give `client_secret_file`, or `token_endpoint_auth_method: none` for a public client");
            None
        }
        _ => Some(secret),
    }
}

fn endpoints(raw: &IdentityProvider, at: &Path, context: &mut Context<'_>) -> Endpoints {
    let plain = raw.issuer.starts_with("http://");
    let mut read = |text: &Option<String>, key: &str| -> Option<Url> {
        let at = at.key(key);
        let url = value::secure_url(text.as_ref()?, &at, &mut context.found)?;
        // Plain calls to this machine are allowed with a provider on it, and with no other.
        if url.scheme() == "http" && !plain {
            context.found.problem(&at, "an `http` endpoint of an `https` issuer").hint("write `https://host/path`");
            return None;
        }
        Some(url)
    };
    Endpoints {
        authorization: read(&raw.authorization_endpoint, "authorization_endpoint"),
        token: read(&raw.token_endpoint, "token_endpoint"),
        userinfo: read(&raw.userinfo_endpoint, "userinfo_endpoint"),
        jwks: read(&raw.jwks_uri, "jwks_uri"),
        end_session: read(&raw.end_session_endpoint, "end_session_endpoint"),
    }
}

fn client_auth(raw: written::ClientAuth) -> ClientAuth {
    match raw {
        written::ClientAuth::ClientSecretBasic => ClientAuth::ClientSecretBasic,
        written::ClientAuth::ClientSecretPost => ClientAuth::ClientSecretPost,
        written::ClientAuth::None => ClientAuth::None,
    }
}

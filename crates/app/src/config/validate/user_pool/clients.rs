//! `clients` of a user pool.

use std::collections::BTreeMap;

use url::Url;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::keys::Kind;
use crate::config::raw::user_pool::{Client, ClientPkce, SignatureAlgorithm};
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::config::validate::user_pool::client_options;
use crate::config::validate::user_pool::client_options::Known;
use crate::config::validate::{keys, value};
use crate::jose::signing_key::Algorithm;
use crate::user_pool::check_redirect_uri;
use crate::user_pool::settings::{ClientSettings, Pkce};

/// The client ID used for `authenticate-user-pool`. It is reserved.
const OWN_CLIENT_ID: &str = "vestibule";

/// The relying parties of the file.
pub(super) fn clients(
    raw: &List<Client>,
    has_rs256: bool,
    known: &Known,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Vec<ClientSettings>, Reported> {
    let rs256_default = raw.iter().any(|(_, client)| client.id_token_signed_response_alg.is_none());
    if rs256_default && !has_rs256 {
        let message = "ID tokens are signed only with ES256, but many relying parties support only RS256";
        let command = Kind::Signing(Algorithm::Rs256).command("FILE");
        context.found.warning(at, message).hint(format!(
            "run `{command}` and set `rs256_signing_key_file: FILE`, or set `id_token_signed_response_alg: ES256` for each client"
        ));
    }
    let mut ids = BTreeMap::new();
    context.each_item(raw, at, |raw, at, context| client(raw, has_rs256, known, &mut ids, at, context))
}

fn client(
    client: &Client,
    has_rs256: bool,
    known: &Known,
    ids: &mut BTreeMap<String, Path>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ClientSettings, Reported> {
    let id = client_id(&client.client_id, ids, &at.key("client_id"), context);
    let keys = ("client_secret", "client_secret_file");
    let secret = keys::secret(client.client_secret.as_ref(), client.client_secret_file.as_ref(), keys, at, context);
    let is_public = matches!(secret, Ok(None));
    let pkce = pkce(client.pkce, is_public, &at.key("pkce"), context);
    let id_token_algorithm = id_token_algorithm(client, has_rs256, at, context);
    let redirect_uris = urls(&client.redirect_uris, &at.key("redirect_uris"), context);
    let options = client_options::client_options(client, (known, is_public), at, context);
    if client.redirect_uris.is_empty() && options.as_ref().is_ok_and(|options| options.grant_types.has_code()) {
        context.found.problem(&at.key("redirect_uris"), "expected at least one address");
    }
    let resources = resources(&client.resources, &at.key("resources"), context);
    let after_sign_out = urls(&client.post_logout_redirect_uris, &at.key("post_logout_redirect_uris"), context);
    Ok(ClientSettings {
        client_id: id?,
        client_secret: secret?,
        pkce: pkce?,
        id_token_algorithm: id_token_algorithm?,
        begins_again: false,
        is_ours: false,
        redirect_uris: redirect_uris?,
        post_logout_redirect_uris: after_sign_out?,
        resources: resources?,
        name: client.name.clone(),
        options: options?,
    })
}

fn client_id(
    id: &str,
    ids: &mut BTreeMap<String, Path>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<String, Reported> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return context.found.problem(at, format!("`{id}` is not a valid client ID")).fail();
    }
    if id == OWN_CLIENT_ID {
        let problem = context.found.problem(at, format!("the client ID `{id}` is reserved"));
        return problem.hint("choose another one").fail();
    }
    match ids.insert(id.to_owned(), at.clone()) {
        None => Ok(id.to_owned()),
        Some(first) => {
            let problem = context.found.problem(at, format!("the client `{id}` is defined twice"));
            problem.label(&first, "first defined here").fail()
        }
    }
}

fn pkce(raw: Option<ClientPkce>, is_public: bool, at: &Path, context: &mut Context<'_>) -> Result<Pkce, Reported> {
    match raw {
        None if is_public => Ok(Pkce::Required),
        None | Some(ClientPkce::OrNonce) if !is_public => Ok(Pkce::OrNonce),
        Some(ClientPkce::Optional) if !is_public => {
            let warning = context.found.warning(at, "a stolen code is protected by the client secret only");
            warning.hint(
                "use `or_nonce`, the default, as soon as the relying party sends PKCE or a nonce (RFC 9700 §2.1.1)",
            );
            Ok(Pkce::Optional)
        }
        Some(ClientPkce::Required) => Ok(Pkce::Required),
        _ => {
            let problem = context.found.problem(at, "a client without a secret must use PKCE");
            problem.hint("remove the setting, or set a client secret").fail()
        }
    }
}

fn id_token_algorithm(
    client: &Client,
    has_rs256: bool,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Algorithm, Reported> {
    match client.id_token_signed_response_alg {
        Some(SignatureAlgorithm::Es256) => Ok(Algorithm::Es256),
        Some(SignatureAlgorithm::Rs256) if !has_rs256 => {
            let at = at.key("id_token_signed_response_alg");
            let problem = context.found.problem(&at, "the pool has no key for RS256");
            let command = Kind::Signing(Algorithm::Rs256).command("FILE");
            problem.hint(format!("add `rs256_signing_key_file: FILE`; `{command}` creates the file")).fail()
        }
        Some(SignatureAlgorithm::Rs256) => Ok(Algorithm::Rs256),
        // OpenID Connect Dynamic Client Registration §2: RS256 is the default.
        None if has_rs256 => Ok(Algorithm::Rs256),
        None => Ok(Algorithm::Es256),
    }
}

/// What a client may ask tokens for. RFC 8707 §2: absolute, and without a fragment.
fn resources(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Url>, Reported> {
    value::each(raw, at, &mut context.found, |text, at, found| {
        let url = value::secure_url(text, at, found)?;
        if url.query().is_some() {
            let problem = found.problem(at, format!("`{text}` has a query"));
            return problem.hint("write the address of the application, as `https://app.example.com`").fail();
        }
        Ok(url)
    })
}

/// URLs that the pool redirects users to.
fn urls(raw: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Url>, Reported> {
    value::each(raw, at, &mut context.found, |text, at, found| {
        let Ok(url) = Url::parse(text) else {
            return found.problem(at, format!("`{text}` is not a URL")).hint("write `https://host/path`").fail();
        };
        match check_redirect_uri(&url) {
            Ok(()) => Ok(url),
            Err(error) => {
                let problem = found.problem(at, format!("`{text}` is not allowed as a redirect URI"));
                problem.hint(error.to_string()).fail()
            }
        }
    })
}

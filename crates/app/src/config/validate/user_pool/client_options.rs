//! What clients may do at the endpoints, and the scopes that there are.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::{Client, GrantType, ResourceServer, UserPool};
use crate::config::raw::value::{List, Period};
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::user_pool::{ClientOptions, GrantTypes, SCOPES};

const IDENTIFIER_MAX: usize = 256;
/// Lifetimes of access and ID tokens of a client (pool §3.1).
const TOKEN_BOUNDS: (Duration, Duration) = (Duration::from_secs(5 * 60), Duration::from_secs(86_400));
/// Lifetimes of refresh tokens of a client (pool §3.1).
const REFRESH_BOUNDS: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(3650 * 86_400));
const SCOPES_MAX: usize = 100;
const RESOURCE_SERVERS_MAX: usize = 25;

/// What the options of clients refer to.
pub(super) struct Known {
    scopes: BTreeSet<String>,
    has_store: bool,
    /// Where the store would be.
    store: Path,
}

/// The scopes of a pool.
pub(super) fn known(raw: &UserPool, at: &Path, context: &mut Context<'_>) -> Result<Known, Reported> {
    let (store, at) = (at.key("store"), at.key("resource_servers"));
    if raw.resource_servers.len() > RESOURCE_SERVERS_MAX {
        context.found.problem(&at, format!("a pool has at most {RESOURCE_SERVERS_MAX} resource servers"));
    }
    let servers = context.each_item(&raw.resource_servers, &at, resource_server)?;
    let standard = SCOPES.iter().map(|&scope| scope.to_owned());
    Ok(Known { scopes: servers.into_iter().flatten().chain(standard).collect(), has_store: raw.store.is_some(), store })
}

fn resource_server(raw: &ResourceServer, at: &Path, context: &mut Context<'_>) -> Result<Vec<String>, Reported> {
    let identifier = &raw.identifier;
    if !(1..=IDENTIFIER_MAX).contains(&identifier.len()) || !is_scope(identifier) {
        let problem = context.found.problem(&at.key("identifier"), format!("`{identifier}` cannot be an identifier"));
        return problem.hint("write an address, as `https://api.example.com`, or a word").fail();
    }
    let at = at.key("scopes");
    if !(1..=SCOPES_MAX).contains(&raw.scopes.len()) {
        return context.found.problem(&at, format!("expected 1 to {SCOPES_MAX} scopes")).fail();
    }
    context.each_item(&raw.scopes, &at, |scope, at, context| {
        if scope.is_empty() || scope.len() > IDENTIFIER_MAX || !is_scope(scope) || scope.contains('/') {
            let problem = context.found.problem(at, format!("`{scope}` cannot be the name of a scope"));
            return problem.hint("write a word without `/`, as `read`").fail();
        }
        Ok(format!("{identifier}/{scope}"))
    })
}

/// RFC 6749 §3.3.
fn is_scope(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

/// The options of one client.
pub(super) fn client_options(
    client: &Client,
    (known, is_public): (&Known, bool),
    at: &Path,
    context: &mut Context<'_>,
) -> Result<ClientOptions, Reported> {
    let grant_types = grant_types(client, is_public, at, context);
    let scopes = client.scopes.as_ref().map(|scopes| self::scopes(scopes, known, &at.key("scopes"), context));
    if client.introspection && !known.has_store {
        let problem = context.found.problem(&at.key("introspection"), "the pool has no `store`");
        problem.lacks(&known.store).hint("only a pool with a `store` has an introspection endpoint");
    }
    if client.introspection && is_public {
        context.found.problem(&at.key("introspection"), "a client without a secret cannot ask about tokens");
    }
    if client.require_par && (is_public || !known.has_store) {
        let problem = context.found.problem(&at.key("require_par"), "the client cannot push authorization requests");
        let problem = if is_public { problem } else { problem.lacks(&known.store) };
        problem.hint("that needs a client with a secret, and a `store` in the pool");
    }
    let uri_at = at.key("backchannel_logout_uri");
    let uri = client.backchannel_logout_uri.as_ref();
    let backchannel_logout_uri = uri.map(|uri| value::secure_url(uri, &uri_at, &mut context.found)).transpose();
    if uri.is_some() && !known.has_store {
        let problem = context.found.problem(&uri_at, "the pool has no `store`");
        problem.lacks(&known.store).hint("only a pool with a `store` tells clients that a session has ended");
    }
    let mut lifetime = |written: &Option<Period>, bounds, key| {
        written.as_ref().map(|written| value::period(written, bounds, &at.key(key), &mut context.found)).transpose()
    };
    let access = lifetime(&client.access_token_lifetime, TOKEN_BOUNDS, "access_token_lifetime");
    let id = lifetime(&client.id_token_lifetime, TOKEN_BOUNDS, "id_token_lifetime");
    let refresh = lifetime(&client.refresh_token_lifetime, REFRESH_BOUNDS, "refresh_token_lifetime");
    let options = ClientOptions {
        access_token_lifetime: access?,
        id_token_lifetime: id?,
        refresh_token_lifetime: refresh?,
        grant_types: grant_types?,
        scopes: scopes.transpose()?,
        may_introspect: client.introspection,
        requires_par: client.require_par,
        backchannel_logout_uri: backchannel_logout_uri?,
    };
    if options.grant_types == GrantTypes::ClientCredentials && options.of_resource_servers().next().is_none() {
        let problem = context.found.problem(&at.key("scopes"), "the client needs a scope of a resource server");
        return problem.hint("add `resource_servers` to the pool, and `scopes: [<identifier>/<scope>]` here").fail();
    }
    Ok(options)
}

fn grant_types(client: &Client, is_public: bool, at: &Path, context: &mut Context<'_>) -> Result<GrantTypes, Reported> {
    let at = at.key("grant_types");
    let Some(raw) = &client.grant_types else { return Ok(GrantTypes::CodeAndRefresh) };
    let has = |wanted| raw.iter().any(|(_, grant)| *grant == wanted);
    let (code, refresh) = (has(GrantType::AuthorizationCode), has(GrantType::RefreshToken));
    match (code, refresh, has(GrantType::ClientCredentials)) {
        (true, true, false) => Ok(GrantTypes::CodeAndRefresh),
        (true, false, false) => Ok(GrantTypes::Code),
        (false, false, true) if is_public => {
            context.found.problem(&at, "`client_credentials` needs a client with a secret").fail()
        }
        (false, false, true) => Ok(GrantTypes::ClientCredentials),
        _ => {
            let problem = context.found.problem(&at, "these grant types do not go together");
            let hint = "`[authorization_code, refresh_token]`, `[authorization_code]` or `[client_credentials]`";
            problem.hint(hint).fail()
        }
    }
}

fn scopes(raw: &List<String>, known: &Known, at: &Path, context: &mut Context<'_>) -> Result<Vec<String>, Reported> {
    context.each_item(raw, at, |scope, at, context| {
        if known.scopes.contains(scope.as_str()) {
            return Ok(scope.clone());
        }
        let problem = context.found.problem(at, format!("the scope `{scope}` is not known"));
        problem.hint("scopes of an API are in `resource_servers` of the pool").fail()
    })
}

//! Tokens that Apache asks a server about (RFC 7662): a provider in `identity_providers`, and `validation: introspection`.

use std::time::Duration;

use crate::import::apache::client::{Secret, authentication};
use crate::import::apache::providers::{self, Providers};
use crate::import::apache::scope::Host;
use crate::import::apache::tree::Directive;
use crate::import::draft::Draft;
use crate::import::elbv2::login::host_of;
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

const ENDPOINT: &str = "oidcoauthintrospectionendpoint";
const METADATA: &str = "oidcoauthservermetadataurl";
/// Documents with metadata of an issuer (OpenID Connect Discovery §4, RFC 8414 §3).
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const INTERVAL: &str = "oidcoauthtokenintrospectioninterval";
/// The least `introspection_cache`.
const CACHE_MIN: Duration = Duration::from_secs(1);
/// The greatest.
const CACHE_MAX: Duration = Duration::from_secs(3600);

/// Whether Apache asks about each token of a host. It then looks at no key set.
pub(super) fn is_asked(host: &Host<'_>) -> bool {
    host.last(ENDPOINT).is_some() || host.last(METADATA).is_some()
}

/// Which tokens are accepted: settings of `jwt-validation`, and of `bearer`.
///
/// # Errors
///
/// In a sentence: the rule has to be closed.
pub(super) fn bearer(
    host: &Host<'_>,
    providers: &mut Providers,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<Map, String> {
    refused(host, ledger)?;
    let issuer = issuer(host, ledger)?;
    let mut settings = Map::default().with("issuer", issuer.as_str());
    if let Some(directive) = host.last(METADATA).filter(|directive| directive.word(0) != format!("{issuer}{OPENID}")) {
        settings.set("discovery_url", directive.word(0));
    }
    if let Some(directive) = host.last(ENDPOINT) {
        settings.set("introspection_endpoint", directive.word(0));
        ledger.kept(&directive.path, "identity_providers[].introspection_endpoint, with the metadata of the issuer");
    }
    let secret = client(host, &mut settings, ledger)?;
    if let Some(cache) = cache(host, ledger)? {
        settings.set("introspection_cache", cache);
    }
    providers::calls(host, &mut settings, draft, ledger);
    let name = providers.named(&format!("{}-tokens", host_of(&issuer)), settings, secret, draft);
    // What Apache looks at only in a token that it verifies itself.
    for name in ["oidcoauthverifyjwksuri", "oidcoauthverifysharedkeys", "oidcoauthverifycertfiles"] {
        let directive = host.last(name).into_iter();
        directive.for_each(|directive| {
            ledger.dropped(&directive.path, "the server is asked about each token, as by Apache")
        });
    }
    if let Some(directive) = host.last("oidcoauthverifyaudience") {
        ledger.dropped(
            &directive.path,
            "Apache does not look at it in an answer about a token: if answers have `aud`, set `audience`",
        );
    }
    Ok(Map::default().with("provider", name).with("validation", "introspection"))
}

/// What Vestibule does not say to a server, so that it could answer something else.
fn refused(host: &Host<'_>, ledger: &mut Ledger) -> Result<(), String> {
    let is_default = |directive: &Directive| match directive.name.as_str() {
        "oidcoauthintrospectiontokenparamname" => directive.word(0) == "token",
        // The hint that Vestibule sends.
        "oidcoauthintrospectionendpointparams" => directive.word(0) == "token_type_hint=access_token",
        _ => false,
    };
    for (name, why) in [
        ("oidcoauthintrospectiontokenparamname", "the parameter of RFC 7662 is `token`"),
        ("oidcoauthintrospectionendpointparams", "no further parameters are sent"),
        ("oidcoauthintrospectionendpointcert", "Vestibule has no client certificate there"),
        ("oidcoauthintrospectionendpointkey", "Vestibule has no client certificate there"),
        ("oidcoauthintrospectionclientauthbearertoken", "Vestibule asks with a client ID and its secret"),
    ] {
        let Some(directive) = host.last(name) else { continue };
        if !is_default(directive) {
            ledger.dropped(&directive.path, why);
            return Err(format!("{}: {why}", directive.path));
        }
        ledger.kept(&directive.path, "as RFC 7662 says");
    }
    if let Some(directive) = host.last("oidcoauthintrospectionendpointmethod") {
        if directive.word(0) == "POST" {
            ledger.kept(&directive.path, "always POST");
        } else {
            ledger.changed(&directive.path, "always POST (RFC 7662 §2.1)");
        }
    }
    Ok(())
}

/// The issuer of the tokens.
fn issuer(host: &Host<'_>, ledger: &mut Ledger) -> Result<String, String> {
    if let Some(directive) = host.last("oidcoauthverifyissuer") {
        ledger.kept(&directive.path, "identity_providers[].issuer");
        host.last(METADATA).into_iter().for_each(|directive| ledger.changed(&directive.path, ASKED));
        return Ok(directive.word(0).to_owned());
    }
    if let Some(directive) = host.last(METADATA) {
        let url = directive.word(0);
        let issuer = url.strip_suffix(OPENID).or(url.strip_suffix(OAUTH));
        ledger.changed(&directive.path, ASKED);
        return issuer.map(str::to_owned).ok_or_else(|| UNKNOWN.to_owned());
    }
    // The endpoint of the provider where users sign in.
    let endpoint = host.text(ENDPOINT).unwrap_or_default();
    let of_users = host
        .text("oidcproviderissuer")
        .or(host.text("oidcprovidermetadataurl").and_then(|url| url.strip_suffix(OPENID)));
    let is_below =
        |issuer: &&str| endpoint.strip_prefix(issuer.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    let is_one = host.last("oidcmetadatadir").is_none();
    of_users.filter(|issuer| is_one && is_below(issuer)).map(str::to_owned).ok_or_else(|| UNKNOWN.to_owned())
}

const ASKED: &str = "identity_providers[].issuer, exactly as in the metadata, and validation: introspection. Without an introspection_endpoint in the metadata, \
    tokens are answered 503: then set OIDCOAuthVerifyIssuer and OIDCOAuthVerifyJwksUri in its place";
const UNKNOWN: &str = "the issuer of the tokens is not known: set OIDCOAuthVerifyIssuer, to what the metadata of the server calls its issuer, and import again";

/// The client that asks.
fn client(host: &Host<'_>, settings: &mut Map, ledger: &mut Ledger) -> Result<Secret, String> {
    let (id, secret) = (host.last("oidcoauthclientid"), host.last("oidcoauthclientsecret"));
    let (Some(id), Some(secret)) = (id, secret) else {
        let why = "who asks about tokens needs OIDCOAuthClientID and OIDCOAuthClientSecret (RFC 7662 §2.1)";
        let other = "; if Apache asks nobody, set OIDCOAuthVerifyIssuer and OIDCOAuthVerifyJwksUri in place of OIDCOAuthServerMetadataURL";
        return Err(if host.last(ENDPOINT).is_some() { why.to_owned() } else { format!("{why}{other}") });
    };
    settings.set("client_id", id.word(0));
    ledger.kept(&id.path, "identity_providers[].client_id");
    ledger.changed(&secret.path, "a file, which you have to write");
    let method = host.last("oidcoauthintrospectionendpointauth");
    let found = authentication(method.map(|method| method.word(0)), true, settings);
    let found = match found {
        Ok(Secret::None) => Err("Vestibule asks with a client ID and its secret".to_owned()),
        found => found,
    };
    if let Some(method) = method {
        match &found {
            Ok(_) => ledger.kept(&method.path, "identity_providers[].token_endpoint_auth_method"),
            Err(why) => ledger.dropped(&method.path, why),
        }
    }
    found.map_err(|why| format!("OIDCOAuthIntrospectionEndpointAuth: {why}"))
}

/// How long an answer is used, if a directive says less than the default: the least of all sections.
fn cache(host: &Host<'_>, ledger: &mut Ledger) -> Result<Option<Duration>, String> {
    let all = host.places.iter().filter_map(|place| place.last(INTERVAL)).chain(host.last(INTERVAL));
    let mut least = None;
    for directive in all {
        let seconds: i64 =
            directive.word(0).parse().map_err(|_| format!("{}: no number of seconds", directive.path))?;
        let cache = match seconds {
            ..0 => {
                ledger.changed(&directive.path, "introspection_cache: one second, which is the least");
                CACHE_MIN
            }
            // Until the token ends.
            0 => {
                ledger.changed(
                    &directive.path,
                    "introspection_cache: a minute, which is the default, in place of the lifetime of the token",
                );
                continue;
            }
            1.. => {
                ledger.kept(&directive.path, "introspection_cache of the provider: the least of all sections");
                Duration::from_secs(seconds.unsigned_abs()).min(CACHE_MAX)
            }
        };
        least = Some(least.map_or(cache, |known: Duration| known.min(cache)));
    }
    Ok(least)
}

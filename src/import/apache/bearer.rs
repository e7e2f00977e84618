//! Bearer tokens: `AuthType oauth20` and `auth-openidc`.

use crate::import::apache::scope::Host;
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

/// What an `AuthType` lets in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ways {
    pub(super) sessions: bool,
    pub(super) tokens: bool,
}

/// What an `AuthType` of a host lets in. `None` for one that is not known.
pub(super) fn ways(kind: &str, host: &Host<'_>) -> Option<Ways> {
    match kind.to_ascii_lowercase().as_str() {
        "openid-connect" => Some(Ways { sessions: true, tokens: false }),
        "auth-openidc" => Some(Ways { sessions: true, tokens: is_set_up(host) }),
        "oauth20" => Some(Ways { sessions: false, tokens: true }),
        _ => None,
    }
}

/// Whether any tokens are accepted.
fn is_set_up(host: &Host<'_>) -> bool {
    ["oidcoauthverify", "oidcoauthintrospectionendpoint", "oidcoauthservermetadataurl"]
        .iter()
        .any(|begin| host.directives.iter().any(|directive| directive.name.starts_with(begin)))
}

/// Which tokens are accepted: the settings of `jwt-validation`, and of `bearer`.
///
/// # Errors
///
/// In a sentence: the rule has to be closed.
pub(super) fn bearer(host: &Host<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    for name in ["oidcoauthintrospectionendpoint", "oidcoauthverifysharedkeys", "oidcoauthverifycertfiles"] {
        if let Some(directive) = host.last(name) {
            let why =
                "tokens that are verified in another way than by the key set of their issuer are not carried over";
            ledger.dropped(&directive.path, why);
            return Err(format!("{}: {why}", directive.path));
        }
    }
    // What it names takes the place of OIDCOAuthVerifyJwksUri, and an introspection endpoint is then asked about each token.
    if let Some(directive) = host.last("oidcoauthservermetadataurl") {
        let why = "the metadata may name an endpoint that is asked about each token: set OIDCOAuthVerifyIssuer and OIDCOAuthVerifyJwksUri in its place, or write `validation: introspection`";
        ledger.dropped(&directive.path, why);
        return Err(format!("{}: {why}", directive.path));
    }
    let mut bearer = Map::default();
    let keys = host.text("oidcoauthverifyjwksuri");
    let issuer = host.text("oidcoauthverifyissuer");
    let issuer = issuer.ok_or("the issuer of tokens is not known: set OIDCOAuthVerifyIssuer")?;
    let keys = keys.ok_or("the key set of the issuer of tokens is not known: set OIDCOAuthVerifyJwksUri")?;
    bearer.set("issuer", issuer);
    bearer.set("jwks_endpoint", keys);
    for name in ["oidcoauthverifyjwksuri", "oidcoauthverifyissuer"] {
        host.last(name).into_iter().for_each(|directive| ledger.kept(&directive.path, "issuer and jwks_endpoint"));
    }
    if let Some(directive) = host.last("oidcoauthverifyaudience") {
        bearer.set("audience", &directive.words[..]);
        ledger.kept(&directive.path, "audience");
    }
    if let Some(directive) = host.last("oidcoauthaccepttokenas") {
        if directive.words.iter().any(|word| word == "header") {
            ledger.changed(&directive.path, "only the header Authorization has a token");
        } else {
            ledger.dropped(&directive.path, "only the header Authorization has a token");
        }
    }
    Ok(bearer)
}

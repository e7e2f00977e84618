//! Bearer tokens: `AuthType oauth20` and `auth-openidc`.

use crate::import::apache::scope::Host;
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

/// Documents with metadata of an issuer (OpenID Connect Discovery §4, RFC 8414 §3).
const WELL_KNOWN: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// Whether any tokens are accepted.
pub(super) fn is_set_up(host: &Host<'_>) -> bool {
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
    let mut bearer = Map::default();
    let metadata = host.text("oidcoauthservermetadataurl");
    let of_metadata = metadata.and_then(|url| WELL_KNOWN.iter().find_map(|end| url.strip_suffix(end)));
    let keys = host.text("oidcoauthverifyjwksuri");
    let issuer = host.text("oidcoauthverifyissuer").or(of_metadata);
    let issuer = issuer.ok_or("the issuer of tokens is not known: set OIDCOAuthVerifyIssuer")?;
    let keys = keys.ok_or("the key set of the issuer of tokens is not known: set OIDCOAuthVerifyJwksUri")?;
    bearer.set("issuer", issuer);
    bearer.set("jwks_endpoint", keys);
    for name in ["oidcoauthservermetadataurl", "oidcoauthverifyjwksuri", "oidcoauthverifyissuer"] {
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

//! Bearer tokens: `AuthType oauth20` and `auth-openidc`.

use crate::import::apache::introspection;
use crate::import::apache::providers::Providers;
use crate::import::apache::scope::Host;
use crate::import::draft::Draft;
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
pub(super) fn bearer(
    host: &Host<'_>,
    providers: &mut Providers,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<Map, String> {
    if let Some(directive) = host.last(BINDING) {
        if !matches!(directive.word(0), "disabled" | "optional") {
            let why = "whether a token is bound to a key of its client cannot be asked";
            ledger.dropped(&directive.path, why);
            return Err(format!("{}: {why}", directive.path));
        }
        ledger.changed(&directive.path, "a token that is bound to a key of its client is refused");
    }
    let bearer = if introspection::is_asked(host) {
        introspection::bearer(host, providers, draft, ledger)?
    } else {
        verified(host, ledger)?
    };
    let ways = host.places.iter().filter_map(|place| place.last(WAYS)).chain(host.last(WAYS));
    for directive in ways {
        if directive.words.iter().any(|word| word == "header") {
            ledger.changed(&directive.path, "only the header Authorization has a token");
        } else {
            ledger.dropped(&directive.path, "only the header Authorization has a token");
        }
    }
    Ok(bearer)
}

const BINDING: &str = "oidcoauthaccesstokenbindingpolicy";
const WAYS: &str = "oidcoauthaccepttokenas";

/// Tokens that Apache verifies itself.
fn verified(host: &Host<'_>, ledger: &mut Ledger) -> Result<Map, String> {
    for name in ["oidcoauthverifysharedkeys", "oidcoauthverifycertfiles"] {
        if let Some(directive) = host.last(name) {
            let why =
                "the keys of tokens are read from a key set of their issuer: set OIDCOAuthVerifyJwksUri in its place";
            ledger.dropped(&directive.path, why);
            return Err(format!("{}: {why}", directive.path));
        }
    }
    let keys = host.text("oidcoauthverifyjwksuri");
    let issuer = host.text("oidcoauthverifyissuer");
    let issuer = issuer.ok_or("the issuer of tokens is not known: set OIDCOAuthVerifyIssuer")?;
    let keys = keys.ok_or("the key set of the issuer of tokens is not known: set OIDCOAuthVerifyJwksUri")?;
    let mut bearer = Map::default().with("issuer", issuer).with("jwks_endpoint", keys);
    for name in ["oidcoauthverifyjwksuri", "oidcoauthverifyissuer"] {
        host.last(name).into_iter().for_each(|directive| ledger.kept(&directive.path, "issuer and jwks_endpoint"));
    }
    if let Some(directive) = host.last("oidcoauthverifyaudience") {
        bearer.set("audience", &directive.words[..]);
        ledger.kept(&directive.path, "audience");
    }
    Ok(bearer)
}

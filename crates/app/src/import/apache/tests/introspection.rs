//! Tokens that Apache asks a server about.

use super::attacks::{host, open};
use super::from;
use super::users::import;
use crate::import::Imported;

/// Users sign in at the issuer `https://login.example.com/realms/staff`.
const ENDPOINT: &str = "OIDCOAuthIntrospectionEndpoint https://a.example.com/introspect\n";
const CLIENT: &str = "OIDCOAuthClientID api\nOIDCOAuthClientSecret not-for-a-file\n";
const ISSUER: &str = "OIDCOAuthVerifyIssuer https://a.example.com\n";

fn gate(kind: &str) -> String {
    format!("<Location />\nAuthType {kind}\nRequire valid-user\n</Location>\n")
}

#[track_caller]
fn carried(settings: &str, kind: &str) -> Imported {
    let imported = import(&host(&format!("{settings}{}", gate(kind))));
    assert_eq!(imported.closed, [""; 0], "{settings}: {}", imported.yaml);
    assert!(!imported.yaml.contains("not-for-a-file") && !imported.explanation().contains("not-for-a-file"));
    imported
}

/// Nobody comes in, and the result says why.
#[track_caller]
fn closed(settings: &str, expected: &str) {
    let imported = import(&host(&format!("{settings}{}", gate("oauth20"))));
    assert_eq!((open(&imported).len(), imported.closed.len()), (0, 1), "{settings}: {}", imported.yaml);
    assert!(imported.closed[0].contains(expected), "{settings}: {:?}", imported.closed);
    assert!(!imported.yaml.contains("forward\n"), "{settings}: {}", imported.yaml);
}

#[test]
fn a_server_that_is_asked_about_tokens_is_a_provider() {
    let settings = format!("{ENDPOINT}{CLIENT}{ISSUER}");
    let imported = carried(&settings, "oauth20");
    let gate = from(&imported, "- type: jwt-validation");
    assert!(
        gate.starts_with(
            "- type: jwt-validation provider: a.example.com-tokens validation: introspection - type: forward"
        ),
        "{gate}"
    );
    let provider = from(&imported, "identity_providers:").replace('"', "");
    let expected = "identity_providers: a.example.com-tokens: issuer: https://a.example.com introspection_endpoint: https://a.example.com/introspect \
        client_id: api client_secret_file: keys/a.example.com-tokens-client-secret";
    assert!(provider.starts_with(expected), "{provider}");
    // Sessions are of another client.
    let imported = carried(&settings, "auth-openidc");
    let gate = from(&imported, "- type: session-or-bearer");
    let expected = "- type: session-or-bearer provider: login.example.com bearer: provider: a.example.com-tokens validation: introspection";
    assert!(gate.starts_with(expected), "{gate}");
    // Apache looks at none of these where it asks.
    let more = "OIDCOAuthVerifyJwksUri https://a.example.com/k\nOIDCOAuthVerifySharedKeys plain##x\nOIDCOAuthVerifyAudience api\n";
    let imported = carried(&format!("{settings}{more}"), "oauth20");
    assert!(!imported.yaml.contains("jwks") && !imported.yaml.contains("audience"), "{}", imported.yaml);
    let more = "OIDCOAuthIntrospectionEndpointAuth client_secret_post\nOIDCOAuthIntrospectionTokenParamName token\nOIDCOAuthIntrospectionEndpointMethod GET\nOIDCOAuthTokenExpiryClaim exp absolute\nOIDCOAuthAcceptTokenAs header query\nOIDCOAuthAccessTokenBindingPolicy optional\n";
    let imported = carried(&format!("{settings}{more}"), "oauth20");
    assert!(imported.yaml.contains("token_endpoint_auth_method: client_secret_post"), "{}", imported.yaml);
    // The value of a secret is of no interest.
    let settings = settings.replace("not-for-a-file", "${SECRET}");
    assert!(carried(&settings, "oauth20").yaml.contains("introspection_endpoint"));
}

#[test]
fn the_issuer_of_tokens_is_guessed_only_where_there_is_one() {
    for (settings, issuer) in [
        (
            "OIDCOAuthIntrospectionEndpoint https://login.example.com/realms/staff/introspect\n",
            "https://login.example.com/realms/staff",
        ),
        (
            "OIDCOAuthServerMetadataURL https://a.example.com/t/.well-known/openid-configuration\n",
            "https://a.example.com/t",
        ),
        (
            "OIDCOAuthServerMetadataURL https://a.example.com/.well-known/oauth-authorization-server\n",
            "https://a.example.com",
        ),
    ] {
        let imported = carried(&format!("{settings}{CLIENT}"), "oauth20");
        assert!(imported.yaml.contains(&format!("issuer: {issuer}\n")), "{settings}: {}", imported.yaml);
        assert_eq!(imported.yaml.contains("discovery_url"), settings.contains("oauth-auth"), "{}", imported.yaml);
    }
    for endpoint in [
        "OIDCOAuthIntrospectionEndpoint https://login.example.com/realms/other/introspect\n",
        "OIDCOAuthIntrospectionEndpoint https://login.example.com/realms/staff-2/introspect\n",
        "OIDCOAuthIntrospectionEndpoint https://login.example.com.example.net/realms/staff/introspect\n",
        "OIDCOAuthServerMetadataURL https://a.example.com/.well-known/oauth-authorization-server/t\n",
        ENDPOINT,
    ] {
        closed(&format!("{endpoint}{CLIENT}"), "set OIDCOAuthVerifyIssuer");
    }
}

#[test]
fn what_a_server_would_be_asked_in_another_way_lets_nobody_in() {
    let settings = format!("{ENDPOINT}{CLIENT}{ISSUER}");
    for (more, expected) in [
        ("OIDCOAuthIntrospectionEndpointAuth private_key_jwt", "does not authenticate itself by `private_key_jwt`"),
        ("OIDCOAuthIntrospectionEndpointAuth none", "with a client ID and its secret"),
        ("OIDCOAuthIntrospectionEndpointAuth bearer_access_token", "does not authenticate itself"),
        ("OIDCOAuthIntrospectionClientAuthBearerToken abc", "with a client ID and its secret"),
        ("OIDCOAuthIntrospectionEndpointCert /etc/c.pem", "no client certificate"),
        ("OIDCOAuthIntrospectionEndpointKey /etc/c.key", "no client certificate"),
        ("OIDCOAuthIntrospectionTokenParamName access_token", "is `token`"),
        ("OIDCOAuthIntrospectionEndpointParams grant_type=validate", "no further parameters"),
        ("OIDCOAuthTokenIntrospectionInterval soon", "no number"),
        ("OIDCOAuthAccessTokenBindingPolicy required", "bound to a key"),
        ("OIDCOAuthAccessTokenBindingPolicy enforced", "bound to a key"),
    ] {
        closed(&format!("{settings}{more}\n"), expected);
    }
    closed(&format!("{ENDPOINT}{ISSUER}"), "OIDCOAuthClientSecret");
    closed(&format!("{ENDPOINT}{ISSUER}OIDCOAuthClientID api\n"), "OIDCOAuthClientSecret");
    closed(
        "OIDCOAuthServerMetadataURL https://a.example.com/.well-known/openid-configuration\n",
        "OIDCOAuthVerifyJwksUri",
    );
    // Nobody knows what it does to tokens.
    let unknown = import(&host(&format!("{settings}OIDCOAuthGateOfTomorrow on\n{}", gate("oauth20"))));
    assert!(open(&unknown).is_empty() && unknown.closed.len() == 1, "{}", unknown.yaml);
}

#[test]
fn an_answer_about_a_token_is_used_no_longer_than_by_apache() {
    let settings = format!("{ENDPOINT}{CLIENT}{ISSUER}");
    let with = |host: &str, place: &str| {
        let place = format!("<Location /a>\nAuthType oauth20\nRequire valid-user\n{place}</Location>\n");
        carried(&format!("{settings}{host}{place}"), "oauth20").yaml
    };
    let interval = |seconds: &str| format!("OIDCOAuthTokenIntrospectionInterval {seconds}\n");
    for (host, place, expected) in [
        (interval("30"), String::new(), "introspection_cache: 30s"),
        (interval("300"), interval("5"), "introspection_cache: 5s"),
        (interval("5"), interval("300"), "introspection_cache: 5s"),
        (String::new(), interval("-1"), "introspection_cache: 1s"),
        (interval("86400"), String::new(), "introspection_cache: 1h"),
    ] {
        let yaml = with(&host, &place);
        assert!(yaml.contains(expected), "{host}{place}: {yaml}");
    }
    assert!(!with(&interval("0"), "").contains("introspection_cache"));
}

//! What oauth2-proxy removes from requests, no client can set.

use super::*;

const ALPHA: &str = "
providers:
  - { id: corp, provider: oidc, clientID: wiki, clientSecretFile: /s, oidcConfig: { issuerURL: https://login.example.com, groupsClaim: roles } }
upstreamConfig: { upstreams: [ { id: app, path: /, uri: http://127.0.0.1:3000 } ] }
server: { bindAddress: 0.0.0.0:4180 }
injectRequestHeaders:
";

fn alpha(headers: &str) -> Imported {
    let more = "email_domains = [\"*\"]\nskip_auth_routes = [\"^/open\"]\n";
    import(&[("alpha.yaml", &format!("{ALPHA}{headers}")), ("a.cfg", more)], &[])
        .unwrap_or_else(|error| panic!("{headers}: {error}"))
}

#[test]
fn a_client_sets_no_header_that_was_injected() {
    for (header, expected) in [
        ("{ name: X-Who, values: [{ claim: email }] }", "x-who: email"),
        ("{ name: X-Who, values: [{ claimSource: { claim: user } }] }", "x-who: sub"),
        ("{ name: X_Teams, values: [{ claimSource: { claim: groups } }] }", "x-teams: roles"),
        ("{ name: X-Who, values: [{ claim: preferred_username }] }", "x-who: preferred_username"),
        // The target gets none of these, and a client cannot set them.
        ("{ name: X-Who, values: [{ claim: id_token }] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, values: [{ claim: email, prefix: 'u ' }] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, values: [{ claimSource: { claim: email, prefix: 'u ' } }] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, values: [{ claim: email }, { claim: user }] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, values: [{ secretSource: { value: YQ== } }] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, values: [] }", "x-who: nobody-has-this-claim"),
        ("{ name: X-Who, preserveRequestValue: true, values: [{ claim: email }] }", "x-who: email"),
        ("{ name: X-Forwarded-User, values: [{ claim: email }] }", "x-forwarded-user: email"),
    ] {
        let imported = alpha(&format!("  - {header}\n"));
        assert_eq!(imported.closed, [""; 0], "{header}");
        assert!(imported.yaml.contains(&format!("    {expected}\n")), "{header}: {}", imported.yaml);
        let row = imported.rows.iter().find(|row| row.setting == "alpha.yaml: injectRequestHeaders[0].name").unwrap();
        assert_eq!(row.fate.word(), "changed", "{row:?}");
    }
}

#[test]
fn a_header_that_clients_could_set_closes_every_rule() {
    for header in [
        "{ name: Authorization, values: [{ claim: id_token, prefix: 'Bearer ' }] }",
        "{ name: authorization, values: [{ claim: user, basicAuthPassword: { value: YQ== } }] }",
        "{ name: Cookie, values: [{ claim: email }] }",
        "{ name: User-Agent, values: [{ claim: email }] }",
        "{ values: [{ claim: email }] }",
        "X-Who",
    ] {
        let imported = alpha(&format!("  - {{ name: X-First, values: [{{ claim: email }}] }}\n  - {header}\n"));
        assert!(rules(&imported.yaml).iter().all(|rule| rule.is_closed), "{header}: {}", imported.yaml);
        assert_eq!(imported.closed.len(), 2, "{header}: {:?}", imported.closed);
    }
    for more in [
        "basic_auth_password = \"not-for-a-file\"",
        "pass_basic_auth = true\nbasic_auth_password = \"not-for-a-file\"",
        "pass_authorization_header = true",
    ] {
        let imported = with(more);
        assert!(rules(&imported.yaml).iter().all(|rule| rule.is_closed), "{more}: {}", imported.yaml);
        assert!(imported.closed.iter().all(|why| why.contains("`authorization`")), "{more}: {:?}", imported.closed);
    }
    for more in [
        "pass_basic_auth = false\nbasic_auth_password = \"not-for-a-file\"",
        "pass_basic_auth = true",
        "pass_authorization_header = false",
        "set_authorization_header = true",
    ] {
        assert_eq!(with(more).closed, [""; 0], "{more}");
    }
}

/// Two names that differ in a sign are one header here. No target must take one user for another.
#[test]
fn a_header_has_one_claim() {
    let imported =
        alpha("  - { name: X-Who, values: [{ claim: email }] }\n  - { name: X_Who, values: [{ claim: user }] }\n");
    assert!(imported.yaml.contains("    x-who: email\n"), "{}", imported.yaml);
}

//! Which claim `Require user` and `REMOTE_USER` are about.

use super::attacks::{host, open};
use super::{OIDC, drafted, include, input, rules};
use crate::import::{Imported, mod_auth_openidc};

const KEYS: &str = "OIDCOAuthVerifyJwksUri https://a.example.com/k\nOIDCOAuthVerifyIssuer https://a.example.com\n";

/// A provider, and nothing about tokens.
pub(super) fn oidc() -> String {
    OIDC.lines().filter(|line| !line.starts_with("OIDCOAuth")).collect::<Vec<_>>().join("\n")
}

pub(super) fn import(site: &str) -> Imported {
    mod_auth_openidc(&[input("site.conf", site)], &[], &include(&oidc())).unwrap_or_else(|error| panic!("{error}"))
}

fn site(kind: &str, claims: &str, more: &str) -> String {
    host(&format!("{KEYS}{claims}<Location />\nAuthType {kind}\nRequire user alice\n</Location>\n{more}"))
}

#[test]
fn a_user_of_a_token_is_named_by_the_claim_for_tokens() {
    const SESSIONS: &str = "OIDCRemoteUserClaim email\n";
    const TOKENS: &str = "OIDCOAuthRemoteUserClaim upn\n";
    for (kind, claims, expected) in [
        ("oauth20", SESSIONS, "claim: sub contains: [alice]"),
        ("oauth20", "", "claim: sub contains: [alice]"),
        ("oauth20", TOKENS, "claim: upn contains: [alice]"),
        ("oauth20", "OIDCOAuthRemoteUserClaim email\n", "claim: email address: [alice]"),
        ("openid-connect", &format!("{TOKENS}OIDCRemoteUserClaim name\n"), "claim: name contains: [alice]"),
        ("auth-openidc", "OIDCRemoteUserClaim sub\n", "claim: sub contains: [alice]"),
        ("auth-openidc", &format!("{TOKENS}OIDCRemoteUserClaim upn\n"), "claim: upn contains: [alice]"),
    ] {
        // `alice` is no address, so the rehearsal refuses it.
        let yaml = drafted(&site(kind, claims, ""), &oidc()).unwrap();
        let text: String = yaml.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(expected), "{kind} {claims}: {text}");
    }
    for (kind, claims) in [
        ("auth-openidc", SESSIONS),
        ("auth-openidc", TOKENS),
        ("auth-openidc", ""),
        ("auth-openidc", &format!("{SESSIONS}{TOKENS}")),
        ("oauth20", "OIDCOAuthRemoteUserClaim email ^(.*)@ $1\n"),
        ("oauth20", "OIDCOAuthRemoteUserClaim sub@\n"),
        ("oauth20", "OIDCOAuthRemoteUserClaim ${CLAIM}\n"),
        ("openid-connect", TOKENS),
    ] {
        let imported = import(&site(kind, claims, ""));
        assert_eq!((open(&imported).len(), imported.closed.len()), (0, 1), "{kind} {claims}: {}", imported.yaml);
    }
}

/// A condition on tokens in a section that may be in force.
#[test]
fn a_setting_of_tokens_that_may_be_in_force_closes_its_host() {
    let gate = "<Location />\nAuthType oauth20\nRequire valid-user\n</Location>\n";
    for setting in ["OIDCOAuthVerifyAudience api", "OIDCOAuthIntrospectionEndpoint https://a.example.com/i"] {
        let site = host(&format!("{KEYS}<IfDefine PRODUCTION>\n{setting}\n</IfDefine>\n{gate}"));
        let imported = import(&site);
        assert_eq!(open(&imported), [""; 0], "{setting}");
        assert!(rules(&imported.yaml).iter().all(|rule| rule.is_closed), "{setting}: {}", imported.yaml);
    }
}

/// A target must not be told another user than by Apache.
#[test]
fn a_header_has_the_claim_that_apache_gave_it() {
    let with = |kind: &str, claims: &str, more: &str| {
        let site =
            host(&format!("{KEYS}{claims}{more}<Location />\nAuthType {kind}\nRequire valid-user\n</Location>\n"));
        import(&site)
    };
    let (sessions, tokens) = ("OIDCRemoteUserClaim upn\n", "OIDCOAuthRemoteUserClaim name\n");
    let both = format!("{sessions}{tokens}");
    let header = "OIDCAuthNHeader X-Who\n";
    for (kind, claims, expected) in [
        ("oauth20", sessions, "x-who: sub"),
        ("oauth20", &both, "x-who: name"),
        ("openid-connect", &both, "x-who: upn"),
        ("auth-openidc", "", "x-who: sub"),
    ] {
        let imported = with(kind, claims, header);
        assert_eq!(imported.closed, [""; 0], "{kind} {claims}");
        assert!(imported.yaml.contains(expected), "{kind} {claims}: {}", imported.yaml);
    }
    assert_eq!(with("auth-openidc", &both, header).closed.len(), 1);
    let set = "RequestHeader set X-Who %{REMOTE_USER}s\n";
    for (kind, claims, expected) in [
        ("oauth20", sessions, "x-who: sub"),
        ("oauth20", &both, "x-who: name"),
        ("openid-connect", &both, "x-who: upn"),
        ("auth-openidc", &both, "x-who: nobody-has-this-claim"),
    ] {
        let imported = with(kind, claims, set);
        assert!(imported.yaml.contains(expected), "{kind} {claims}: {}", imported.yaml);
    }
}

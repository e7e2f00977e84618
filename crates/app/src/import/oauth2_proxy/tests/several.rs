//! An alpha file with several providers.

use super::*;

const ALPHA: &str = "
providers:
  - id: corp
    name: Staff
    provider: oidc
    clientID: wiki
    clientSecret: not-for-a-file
    allowedGroups: [staff]
    oidcConfig: { issuerURL: https://login.example.com }
  - id: partner=1
    name: Partners
    provider: oidc
    clientID: wiki-2
    clientSecretFile: /etc/partner-secret
    scope: openid email groups
    allowedGroups: [staff]
    oidcConfig: { issuerURL: https://partner.example.net, groupsClaim: groups }
upstreamConfig:
  upstreams:
    - { id: app, path: /, uri: http://127.0.0.1:3000 }
";
const DOMAINS: &str = "email_domains = [\"*\"]\n";

#[track_caller]
fn several(alpha: &str, more: &str) -> Imported {
    let every_provider = Wanted { every_provider: true, ..Wanted::default() };
    let main = format!("{DOMAINS}{more}");
    import_as(&[("alpha.yaml", alpha), ("a.cfg", &main)], &[], every_provider).unwrap_or_else(|error| panic!("{error}"))
}

fn changed(from: &str, to: &str) -> String {
    assert!(ALPHA.contains(from), "{from}");
    ALPHA.replace(from, to)
}

#[test]
fn only_users_of_the_first_provider_come_in_as_in_oauth2_proxy() {
    let imported = import(&[("alpha.yaml", ALPHA), ("a.cfg", DOMAINS)], &[]).unwrap();
    assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
    assert!(imported.yaml.contains("provider: login.example.com\n"), "{}", imported.yaml);
    assert!(!imported.yaml.contains("partner") && !imported.yaml.contains("providers: ["), "{}", imported.yaml);
    let second: Vec<_> = imported.rows.iter().filter(|row| row.setting.contains("providers[1]")).collect();
    assert_eq!(second.len(), 9);
    for row in second {
        assert!(row.fate.word() == "dropped" && row.fate.why().contains("--every-provider"), "{row:?}");
    }
    // Nobody signs in at it, so it may be of any kind.
    let github = changed("id: partner=1\n    name: Partners\n    provider: oidc", "id: hub\n    provider: github");
    assert!(import(&[("alpha.yaml", &github), ("a.cfg", DOMAINS)], &[]).is_ok());
}

#[test]
fn users_choose_among_all_providers_if_that_is_asked_for() {
    let imported = several(ALPHA, "");
    assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
    insta::assert_snapshot!("several_providers", imported.yaml);
    assert!(!imported.yaml.contains("not-for-a-file") && !imported.explanation().contains("not-for-a-file"));
    let row = |setting: &str| imported.rows.iter().find(|row| row.setting.ends_with(setting)).unwrap().fate.clone();
    assert_eq!(
        row("providers[1].id").why(),
        "the name in identity_providers: register /oauth2/callback/partner-1 with the provider"
    );
    assert_eq!(row("providers[1].name").why(), "identity_providers[].title");
    assert!(imported.rows.iter().all(|row| !row.fate.why().contains("does not know")), "{:?}", imported.rows);
}

/// Each provider lets in whom it let in: the groups of one are not those of another.
#[test]
fn groups_of_each_provider_are_asked_of_its_own_users() {
    let gate = |alpha: &str| {
        let imported = several(alpha, "");
        assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
        assert!(!imported.yaml.contains("allowed_groups"), "{}", imported.yaml);
        let (_, gate) = imported.yaml.split_once("any:").unwrap_or_else(|| panic!("{}", imported.yaml));
        let (gate, _) = gate.split_once("- type: forward").expect("a terminal");
        gate.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let other = changed(
        "wiki-2\n    clientSecretFile: /etc/partner-secret\n    scope: openid email groups\n    allowedGroups: [staff]",
        "wiki-2\n    allowedGroups: [guests]",
    );
    assert_eq!(
        gate(&other),
        "- all: - claim: iss equals: [https://login.example.com] - claim: groups contains: [staff] - all: - claim: iss equals: \
         [https://partner.example.net] - claim: groups contains: [guests]"
    );
    assert_eq!(
        gate(&changed("email groups\n    allowedGroups: [staff]", "email groups")),
        "- all: - claim: iss equals: [https://login.example.com] - claim: groups contains: [staff] - claim: iss equals: \
         [https://partner.example.net]"
    );
}

#[test]
fn what_cannot_be_said_of_several_providers_lets_nobody_in() {
    let closes = |alpha: &str, more: &str, expected: &str| {
        let imported = several(alpha, more);
        assert_eq!(imported.closed.len(), 1, "{}", imported.yaml);
        assert!(imported.closed[0].contains(expected), "{:?}", imported.closed);
    };
    closes(&changed("groupsClaim: groups", "groupsClaim: roles"), "", "different claims");
    closes(&changed("groupsClaim: groups", "userIDClaim: oid"), "", "different claims");
    closes(&changed("groupsClaim: groups", "emailClaim: upn"), "", "different claims");
    closes(
        &changed("groupsClaim: groups", "audienceClaims: [azp]"),
        "",
        "does not know the option providers[1].oidcConfig.audienceClaims",
    );
    closes(&changed("groupsClaim: groups", "aGateOfTomorrow: true"), "", "does not know the option");
    closes(
        &ALPHA.replace("partner.example.net", "login.example.com").replacen("[staff]", "[admins]", 1),
        "",
        "two providers of one issuer",
    );
    let hub = changed("id: partner=1\n    name: Partners\n    provider: oidc", "id: hub\n    provider: github");
    let every_provider = Wanted { every_provider: true, ..Wanted::default() };
    let error = import_as(&[("alpha.yaml", &hub), ("a.cfg", DOMAINS)], &[], every_provider).unwrap_err();
    assert!(error.contains("`github` is no OpenID provider"), "{error}");
    // A token of one provider for the client of the other would be accepted.
    let imported = several(ALPHA, "skip_jwt_bearer_tokens = true\noidc_extra_audiences = [\"cli\"]\n");
    assert!(imported.closed.is_empty() && !imported.yaml.contains("session-or-bearer"), "{}", imported.yaml);
}

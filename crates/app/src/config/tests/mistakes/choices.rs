//! `providers` of an action, and how they are shown.

use super::{SOUND, files, load_in, report, warnings};

const DEFAULT: &str = "      - type: authenticate-oidc\n        provider: corp\n";
const PARTNER: &str = "identity_providers:\n  partner: { issuer: https://partner.example.com, client_id: x, token_endpoint_auth_method: none, \
                       callback_path: /oauth2/idpresponse/partner }\n";

fn choosing(providers: &str) -> String {
    format!("      - type: authenticate-oidc\n        {providers}\n")
}

/// What is said of `providers` in the default action, with `more` behind the providers of the file.
#[track_caller]
fn check(name: &str, providers: &str, (from, to): (&str, &str), expected: &[&str]) {
    let partner = if from.is_empty() { PARTNER.to_owned() } else { PARTNER.replacen(from, to, 1) };
    let report = report(name, &[(DEFAULT, &choosing(providers)), ("identity_providers:\n", &partner)]);
    for expected in expected {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
    assert_eq!(report.matches("error: ").count(), 1, "{report}");
}

const NOTHING: (&str, &str) = ("", "");

#[test]
fn which_providers() {
    check(
        "choice-none",
        "scope: openid",
        NOTHING,
        &["it is not said where users sign in", "= at: listeners[0].default_actions[0]\n"],
    );
    check(
        "choice-both",
        "provider: corp\n        providers: [partner]",
        NOTHING,
        &["both `provider` and `providers` are set"],
    );
    check(
        "choice-empty",
        "providers: []",
        NOTHING,
        &["the list is empty", "= at: listeners[0].default_actions[0].providers\n"],
    );
    check(
        "choice-twice",
        "providers: [corp, partner, corp]",
        NOTHING,
        &["`corp` is listed twice", "first listed here", "default_actions[0].providers[2]\n"],
    );
    check(
        "choice-unknown",
        "providers: [corp, partnr]",
        NOTHING,
        &[
            "there is no provider and no user pool `partnr`",
            "did you mean `partner`",
            "default_actions[0].providers[1]\n",
        ],
    );
    let many: Vec<String> = (0..11).map(|number| format!("p{number}")).collect();
    check(
        "choice-many",
        &format!("providers: [{}]", many.join(", ")),
        NOTHING,
        &["11 providers; at most 10 are possible"],
    );
}

#[test]
fn providers_that_users_could_not_tell_apart() {
    let title = ("client_id: x", "client_id: x, title: corp");
    check(
        "choice-title",
        "providers: [corp, partner]",
        title,
        &["`corp` and `partner` have the same title `corp`", "another `title`"],
    );
    let empty = ("client_id: x", "client_id: x, title: ' '");
    check("choice-title-empty", "providers: [corp, partner]", empty, &["the title must have 1 to 100 bytes"]);
    let domains = ("client_id: x", "client_id: x, email_domains: [a.example, 'not a domain']");
    check(
        "choice-domain",
        "providers: [corp, partner]",
        domains,
        &["`not a domain` is not a domain", "partner.email_domains[1]\n"],
    );
    let pools = "user_pools:\n  corp: { issuer: \"https://pool.example.com:8443\", signing_key_file: pool-key, applications: [\"https://app.example.com:8443\"] }\nclaims:\n";
    let changes = [(DEFAULT, &*choosing("providers: [corp]")), ("claims:\n", pools)];
    let report = report("choice-pool", &changes);
    assert!(report.contains("`corp` is a provider and a user pool"), "{report}");
}

#[test]
fn one_domain_for_two_providers() {
    let partner = PARTNER.replace("client_id: x", "client_id: x, email_domains: [Company.example]");
    let corp = ("    client_id: dashboard\n", "    client_id: dashboard\n    email_domains: [company.example]\n");
    let changes = [(DEFAULT, &*choosing("providers: [corp, partner]")), ("identity_providers:\n", &partner), corp];
    let report = report("choice-domains", &changes);
    assert!(report.contains("`company.example` is in `email_domains` of two of these providers"), "{report}");
}

#[test]
fn logos() {
    let logo = |file: &'static str| ("client_id: x", file);
    let gone = logo("client_id: x, logo_file: gone");
    check(
        "choice-logo",
        "providers: [corp, partner]",
        gone,
        &["gone` cannot be read", "= at: identity_providers.partner.logo_file\n"],
    );
    let other = logo("client_id: x, logo_file: secret");
    check(
        "choice-logo-kind",
        "providers: [corp, partner]",
        other,
        &["secret`: the logo is no SVG, PNG, JPEG or WebP file"],
    );
}

#[test]
fn logos_may_be_in_a_directory_that_is_served() {
    let files = files("choice-logo-served");
    std::fs::write(files.join("site/logo.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    let partner = PARTNER.replace("client_id: x", "client_id: x, logo_file: site/logo.svg");
    let forward = "          - type: forward\n            target_group: app\n    default";
    let text = [
        (DEFAULT, choosing("providers: [corp, partner]")),
        ("identity_providers:\n", partner),
        (forward, "          - { type: static, directory: site }\n    default".to_owned()),
    ]
    .into_iter()
    .fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, &to, 1)
    });
    load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    // Other files of the configuration are not public.
    std::fs::copy(files.join("session-key"), files.join("site/session-key")).unwrap();
    let secret = text.replace("key_files: [session-key]", "key_files: [site/session-key]");
    assert_ne!(secret, text);
    let report = load_in(&files, &secret).unwrap_err().to_string();
    assert!(report.contains("site/session-key` is in this directory and would be served"), "{report}");
}

#[test]
fn c_07_providers_of_one_action_have_callbacks_of_their_own() {
    let same = (", callback_path: /oauth2/idpresponse/partner", "");
    let expected = [
        "are providers of one action and have the same callback path `/oauth2/idpresponse`",
        "set `callback_path: /oauth2/idpresponse/partner`, and register that address",
    ];
    check("choice-callback", "providers: [corp, partner]", same, &expected);
    // Two clients of one issuer are no danger to each other.
    let partner = PARTNER.replace(same.0, "").replace("partner.example.com", "login.company.com");
    let changes = [(DEFAULT, &*choosing("providers: [corp, partner]")), ("identity_providers:\n", &partner)];
    assert_eq!(warnings("choice-one-issuer", &changes), "");
}

#[test]
fn one_cookie_for_rules_with_providers_in_common() {
    // The rule `api` has `corp` only.
    let partner = PARTNER.replace("partner.example.com", "partner.company.com");
    let changes = [(DEFAULT, &*choosing("providers: [corp, partner]")), ("identity_providers:\n", &partner)];
    assert_eq!(warnings("choice-shared", &changes), "");
    let third = "  third: { issuer: https://third.example.com, client_id: x, token_endpoint_auth_method: none, callback_path: /cb }\n";
    let apart = format!("{PARTNER}{third}");
    let changes = [(DEFAULT, &*choosing("providers: [partner, third]")), ("identity_providers:\n", &apart)];
    let report = report("choice-apart", &changes);
    let expected = "the session cookie `__Host-vestibule` is already used by the provider `corp`";
    assert!(report.contains(expected), "{report}");
    let expected = "= help: write `session_cookie_name: __Host-vestibule-partner` at `listeners[0].default_actions[0]`, and at each other action that has only these providers";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn one_client_of_programs_for_several_providers() {
    let either = "      - type: session-or-bearer\n        providers: [corp, partner]\n        bearer: { audience: [api], public_client_id: cli }\n";
    let report = report("choice-program", &[(DEFAULT, either), ("identity_providers:\n", PARTNER)]);
    assert!(report.contains("a client is of one provider, and tokens of several are accepted"), "{report}");
    assert!(report.contains("= at: listeners[0].default_actions[0].bearer.public_client_id\n"), "{report}");
}

#[test]
fn no_provider_is_asked_about_the_tokens_of_another() {
    let either = "      - type: session-or-bearer\n        providers: [corp, partner]\n        bearer: { audience: [api], validation: auto }\n";
    let report = report("choice-opaque", &[(DEFAULT, either), ("identity_providers:\n", PARTNER)]);
    for expected in [
        "an opaque token does not say which of several providers to ask",
        "= at: listeners[0].default_actions[0].bearer.validation\n",
        "name one by `provider` in `bearer`",
    ] {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
}

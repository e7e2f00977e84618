//! No secret is in a diagnostic, however it is written and whatever is wrong with the file.

use super::{SOUND, files, load_in};

/// Part of every secret that these tests write.
const SECRET: &str = "hunter2";

/// Loads the sound file after these replacements, which must be refused without the secret in the diagnostics.
#[track_caller]
fn refused(name: &str, changes: &[(&str, &str)]) -> String {
    let text = changes.iter().fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no place for {from:?}");
        text.replacen(from, to, 1)
    });
    assert!(text.contains(SECRET), "{text}");
    let report = load_in(&files(name), &text).expect_err("the file has a mistake");
    let shown = report.to_string();
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(!report.coloured().contains(SECRET), "{shown}");
    shown
}

#[test]
fn a_secret_in_any_spelling() {
    let place = "    client_secret_file: secret";
    for (name, written) in [
        ("plain", "    client_secret: hunter2\n    timeout: 5x"),
        ("flow", "    timeout: 5x\n  other: { issuer: x, client_id: 7, client_secret: hunter2 }"),
        ("flow-first", "    timeout: 5x\n  other: { client_secret: hunter2, issuer: x, client_id: 7 }"),
        ("block", "    client_secret: |\n      hunter2\n      hunter2\n    client_secret_file: secret"),
        ("folded", "    client_secret: >-\n      a\n\n      hunter2\n    client_secret_file: secret"),
        ("quoted", "    client_secret: \"a\n      hunter2\"\n    client_secret_file: secret"),
        ("number", "    client_secret: 5 # hunter2"),
        ("list", "    client_secret: [hunter2]"),
        ("mapping", "    client_secret: { a: hunter2 }"),
        ("mapping-key", "    client_secret: { hunter2: a }"),
        (
            "flow-outdented",
            "    timeout: 5x\n  other: { issuer: x, client_id: 7, client_secret:\n hunter2, timeout: 7 }",
        ),
        (
            "flow-outdented-rest",
            "    timeout: 5x\n  other: { issuer: x, client_secret:\n hunter2 , bogus: 7, issuer: y",
        ),
        ("tag", "    client_secret: !hunter2 x"),
        ("local-tag", "    client_secret: !hunter2"),
        ("alias", "    client_secret: *hunter2"),
        ("reserved", "    client_secret: @hunter2"),
        ("percent", "    client_secret: %hunter2"),
        ("variable", "    client_secret: a${hunter2}"),
        ("no-variable", "    client_secret: a${hunter2"),
        ("twice", "    client_secret: hunter2\n    client_secret: hunter2"),
        ("open-quote", "    client_secret: \"hunter2"),
        ("open-list", "    client_secret: [hunter2"),
        ("colon", "    client_secret: a: hunter2"),
        ("tabs", "    client_secret: |\n\thunter2"),
        ("wide", "    client_secret: \u{fc}hunter2\n    timeout: 5x"),
    ] {
        refused(name, &[(place, written)]);
        let crlf = SOUND.replacen(place, written, 1).replace('\n', "\r\n");
        let shown = load_in(&files(name), &crlf).expect_err(name).to_string();
        assert!(!shown.contains(SECRET), "{name}: {shown}");
    }
}

/// A comma ends a plain value in a flow mapping.
#[test]
fn a_secret_with_a_comma_in_a_flow_mapping() {
    for (name, written) in [
        ("tail", "client_secret: a, hunter2"),
        ("tail-value", "client_secret: a, hunter2: b"),
        ("tails", "client_secret: a, b, hunter2, c: hunter2"),
        ("tail-twice", "client_secret: a, hunter2, hunter2"),
        ("tail-open", "client_secret: a, hunter2, hunter2, @"),
        ("tail-near", "client_secret: a, timeuot: hunter2"),
        ("tail-misspelt", "clientSecret: a, hunter2"),
        ("tail-unknown", "password: a, hunter2"),
        ("tail-blank", "client_secret:a, hunter2"),
    ] {
        let other = format!("    timeout: 5s\n  other: {{ issuer: \"https://a.test\", client_id: a, {written} }}");
        let shown =
            refused(name, &[("    client_secret_file: secret", &format!("    client_secret_file: secret\n{other}"))]);
        if name == "tail" {
            assert!(shown.contains("error: unknown key, or the rest of the value in front of it"), "{shown}");
            assert!(shown.contains("help: put a value that has a comma in quotes"), "{shown}");
            assert!(shown.contains("at: identity_providers.other\n"), "{shown}");
        }
    }
    let anchor = ("listeners:\n", "x-s: &s { client_secret: a, hunter2 }\nlisteners:\n");
    refused("tail-merge", &[anchor, ("    client_secret_file: secret", "    client_secret: b\n    <<: *s")]);
    refused(
        "tail-condition",
        &[("          - path_pattern: [\"/api/*\"]", "          - { client_secret: a, hunter2 }")],
    );
}

#[test]
fn a_secret_behind_an_anchor() {
    let place = "    client_secret_file: secret";
    for (name, top, written) in [
        ("alias-scalar", "x-s: &s hunter2", "    client_secret: *s\n    timeout: 5x"),
        ("alias-list", "x-s: &s [hunter2]", "    client_secret: *s"),
        ("merge", "x-s: &s { client_secret: hunter2, timeout: 5x }", "    <<: *s"),
        ("unused", "x-s: [hunter2, &s 5x]", "    client_secret: a\n    timeout: *s"),
    ] {
        refused(name, &[("listeners:\n", &format!("{top}\nlisteners:\n")), (place, written)]);
    }
}

#[test]
fn a_secret_in_the_wrong_place() {
    let place = "    client_secret_file: secret";
    for (name, written) in [
        ("camel", "    clientSecret: hunter2"),
        ("short", "    secret: hunter2"),
        ("unknown", "    api_key: hunter2"),
        ("block", "    token: |\n      hunter2\n    x: y"),
        ("provider", "    client_id: a\n  other: hunter2"),
        ("comment", "    timeout: 5x # hunter2"),
        ("nested", "    ca_file: { client_secret: hunter2 }"),
        ("url", "    jwks_uri: https://ada:hunter2@login.example.com/"),
        ("url-plain", "    jwks_uri: http://ada:hunter2@login.example.com/"),
        ("url-broken", "    jwks_uri: https://ada:hunter2@login.exa[mple.com/"),
    ] {
        refused(name, &[(place, written)]);
    }
    refused("listener", &[("    protocol: https", "    protocol: https\n    client_secret: hunter2")]);
    refused("top", &[("session:\n", "client_secret: hunter2\nsession:\n")]);
    refused("condition", &[("          - path_pattern: [\"/api/*\"]", "          - client_secret: hunter2")]);
    let pool =
        "user_pools:\n  staff:\n    issuer: https://login.example.org\n    signing_key_file: pool-key\n    users:\n";
    for (name, user) in [
        ("hash", "      - { username: ada, password_hash: hunter2 }\n"),
        ("password", "      - { username: ada, password: hunter2 }\n"),
        ("user", "      - ada: hunter2\n"),
        ("item", "      - hunter2\n"),
    ] {
        refused(name, &[("session:\n", &format!("{pool}{user}session:\n"))]);
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    let files = files("public");
    let text = SOUND.replace("client_secret_file: secret", "client_secret: ${OIDC_SECRET}\n    timeout: 5x");
    let report = load_in(&files, &text).expect_err("the file has two mistakes").to_string();
    for shown in ["    client_secret: ${OIDC_SECRET}", "    timeout: 5x", "`OIDC_SECRET`", "`5x`"] {
        assert!(report.contains(shown), "{shown}: {report}");
    }
}

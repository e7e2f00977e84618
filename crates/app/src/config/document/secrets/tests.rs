use serde_json::json;

use super::*;
use crate::config::document::findings::Findings;
use crate::config::document::report::Diagnostics;
use crate::config::document::scalar::Environment;
use crate::config::document::{parse, shape};

/// A document with a public text, a secret, a list of texts and a mapping of names to the same.
fn schema() -> Json {
    let entry = json!({
        "type": "object",
        "properties": {
            "issuer": { "type": "string" },
            "client_secret": { "type": "string", "writeOnly": true },
            "client_secret_file": { "type": "string" },
            "scopes": { "type": "array", "items": { "type": "string" } },
            "entries": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Entry" } },
        },
        "patternProperties": { "^x-": true },
        "additionalProperties": false,
    });
    json!({ "$ref": "#/$defs/Entry", "$defs": { "Entry": entry } })
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut found = Findings::default();
    let shown = match parse::parse(text, &Environment::Given([].into()), &mut found) {
        Ok(parsed) => hide(text, &parsed, &schema()),
        Err(_) => hide_unparsed(text, &schema()),
    };
    assert_eq!(shown.text, expected);
}

#[test]
fn a_secret_is_hidden_in_every_spelling() {
    check("client_secret: hunter2\n", "client_secret: …\n");
    check("client_secret: 'hunter2' # old: hunter1\n", "client_secret: …\n");
    check("client_secret: \"hun\n  ter2\"\nissuer: a\n", "client_secret: …\n  …\nissuer: a\n");
    check("client_secret: |\n  hunter2\n\n  hunter3\nissuer: a\n", "client_secret: |\n  …\n\n  …\nissuer: a\n");
    check("client_secret: 12345\n", "client_secret: …\n");
    check("client_secret: [hunter2, b]\n", "client_secret: […\n");
    check("client_secret: { hunter2: b }\nissuer: a\n", "client_secret: { …\nissuer: a\n");
    check("{ client_secret: hunter2, issuer: a }\n", "{ client_secret: …………………, issuer: a }\n");
    check("{ issuer: a, client_secret: hunter2 }\n", "{ issuer: a, client_secret: …\n");
    check("entries: { a: { client_secret: hunter2 } }\n", "entries: { a: { client_secret: …\n");
    check("client_secret: 'it''s # hunter2'\r\nissuer: a\r\n", "client_secret: …\r\nissuer: a\r\n");
}

/// A comma ends a plain value in a flow mapping, so the rest of a secret with a comma looks like keys.
#[test]
fn the_rest_of_a_secret_with_a_comma_is_hidden() {
    check("a: { client_secret: hunter, hunter2 }\nissuer: a\n", "a: { client_secret: …\nissuer: a\n");
    let entry = |written: &str| format!("entries: {{ a: {{ {written} }} }}\n");
    for (written, shown) in [
        ("client_secret: a, hunter2", "client_secret: …"),
        ("client_secret: a, hunter2, hunter2: b, c", "client_secret: …"),
        ("client_secret: a, hunter2: { hunter2: b }, isuer: hunter2", "client_secret: …"),
        ("client_secret: a, hunter2, issuer: b", "client_secret: …………………………, issuer: b"),
        ("client_secret: a, hunter2, hunter2", "client_secret: …"),
        ("client_secret:a, hunter2", "…"),
        // Perhaps misspelt, or a secret in the wrong place.
        ("clientSecret: a, hunter2", "clientSecret: …"),
        ("password: a, hunter2", "password: …"),
    ] {
        let end = if shown.ends_with('…') { "\n" } else { " } }\n" };
        check(&entry(written), &format!("entries: {{ a: {{ {shown}{end}"));
    }
    check(
        "x-e: &e { client_secret: a, hunter2 }\nentries: { b: *e }\n",
        "x-e: &e { client_secret: …\nentries: { b: *e }\n",
    );
    check(
        "x-e: &e { client_secret: a, hunter2 }\nclient_secret: b\n<<: *e\n",
        "x-e: &e { client_secret: …\nclient_secret: …\n<<: *e\n",
    );
    // These cannot be the rest of a secret.
    check("entries: { a: { client_secret: \"a\", b: c } }\n", "entries: { a: { client_secret: ………, b: …\n");
    check("entries: { a: { issuer: a, b, client_secret: c } }\n", "entries: { a: { issuer: a, b, client_secret: …\n");
    check("client_secret: a\nb:\n", "client_secret: …\nb:\n");
}

#[test]
fn an_anchor_is_hidden_if_one_of_its_uses_is_a_secret() {
    check("x-s: &s hunter2\nclient_secret: *s\n", "x-s: …\nclient_secret: *s\n");
    check("x-s: &s hunter2\nclient_secret: *s\nissuer: *s\n", "x-s: …\nclient_secret: *s\nissuer: *s\n");
    check(
        "x-e: &e { client_secret: hunter2, issuer: a }\n<<: *e\n",
        "x-e: &e { client_secret: …………………, issuer: a }\n<<: *e\n",
    );
    check("x-e: &e { issuer: a }\nentries: { b: *e }\n", "x-e: &e { issuer: a }\nentries: { b: *e }\n");
}

#[test]
fn a_value_that_does_not_count_is_hidden() {
    check("client_secret: hunter2\nclient_secret: hunter3\n", "client_secret: …\nclient_secret: …\n");
    check("client_secret: a\n<<: { client_secret: hunter2 }\n", "client_secret: …\n<<: { …\n");
}

#[test]
fn what_the_schema_does_not_know_is_hidden() {
    check("password: hunter2\n", "password: …\n");
    check("x-old: hunter2\n", "x-old: …\n");
    check("entries: hunter2\n", "entries: …\n");
    check("entries: { a: hunter2 }\n", "entries: { a: …\n");
    check("issuer: { a: hunter2 }\n", "issuer: { a: …\n");
    check("clientSecret: hunter2\nsecret: hunter2\n", "clientSecret: …\nsecret: …\n");
    check("issuer: a # hunter2\n# client_secret: hunter2\n#hunter2\n", "issuer: a # …\n# …\n#…\n");
    check("issuer: https://ada:hunter2@login.test/\n", "issuer: https://……………………………@login.test/\n");
}

#[test]
fn what_is_no_secret_is_shown() {
    for text in [
        "issuer: https://login.test/a#b\nscopes: [openid, 'it''s']\n",
        "entries:\n  corp: { issuer: \"a b\", client_secret_file: secret }\n",
        // Perhaps misspelt, and no secret then either.
        "isuer: a\nsecret_file: secret\nscope: a\n",
        "scopes: openid\n",
        // The name of a secret.
        "client_secret: ${OIDC_SECRET}\n",
        "issuer: ünï\r\nscopes: [a,\r\n  b]\r\n",
    ] {
        check(text, text);
    }
}

#[test]
fn of_a_text_that_is_no_document_only_known_keys_are_shown() {
    let broken = |text: &str, expected: &str| check(&format!("{text}\n]\n"), &format!("{expected}\n"));
    broken("issuer: a", "issuer: a\n]");
    broken("client_secret: @hunter2", "client_secret: …\n…");
    broken("client_secret: \"a\n  issuer: hunter2", "client_secret: …\n  …\n…");
    broken("client_secret: |\n  hunter2\nissuer: a", "client_secret: …\n  …\nissuer: a\n]");
    broken("{ issuer: a, client_secret: @hunter2", "{ issuer: a, client_secret: …\n…");
    broken("password: @hunter2", "password: …\n…");
    broken("entries:\n  corp:\n    scopes:\n      - *a", "entries:\n  corp:\n    scopes:\n      - *a\n]");
    broken("issuer: a # hunter2", "issuer: a # …\n]");
}

#[test]
fn places_follow_the_text() {
    let text = "{ client_secret: hunter2, issuer: a } # note\n";
    let mut found = Findings::default();
    let parsed = parse::parse(text, &Environment::Given([].into()), &mut found).unwrap();
    let shown = hide(text, &parsed, &schema());
    let issuer = text.find("issuer").unwrap();
    let place = shown.locate(Span { start: issuer, end: issuer + 6 });
    assert_eq!(&shown.text[place.start..place.end], "issuer");
    let column = |text: &str, at: usize| text[..at].chars().count();
    assert_eq!(column(&shown.text, place.start), column(text, issuer));
    let secret = text.find("hunter2").unwrap();
    let place = shown.locate(Span { start: secret, end: secret + 7 });
    assert!(shown.text[place.start..place.end].chars().all(|c| c == '…'));
}

#[test]
fn a_secret_without_a_blank_behind_its_colon_is_hidden() {
    for text in ["{issuer: a, client_secret:hunter2}\n", "client_secret:hunter2: a\n", "{client_secret=hunter2}\n"] {
        let mut found = Findings::default();
        let parsed = parse::parse(text, &Environment::Given([].into()), &mut found).unwrap();
        let _ = shape::check(&parsed.root, &schema(), &mut found);
        let shown = hide(text, &parsed, &schema());
        let report = Diagnostics::new("file".into(), shown, found.located(Some(&parsed.root))).to_string();
        assert!(report.contains("unknown key `client_secret") && !report.contains("hunter2"), "{report}");
    }
}

//! `session`, `claims`, and key files.

use insta::assert_snapshot;

use super::report;

#[test]
fn sections_that_are_needed() {
    let changes = [(
        "session:\n  key_files: [session-key]\nclaims:\n  signer: arn:vestibule:dashboard\n  signing_key_file: claims-key\n",
        "",
    )];
    assert_snapshot!(report("sections", &changes), @r#"
    error: `session` is missing: a rule authenticates
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: session
      = help: add `session: { key_files: [FILE] }`; `vestibule keys session --out FILE` creates the file

    error: `claims` is missing: a rule authenticates
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: claims
      = help: add `claims: { signer: NAME, signing_key_file: FILE }`; `vestibule keys signing --out FILE` creates the file
    "#);
}

#[test]
fn missing_files() {
    assert_snapshot!(report("gone", &[("[session-key]", "[gone]"), ("signing_key_file: claims-key", "signing_key_file: gone")]), @r#"
    error: the key file `DIR/gone` does not exist
      --> vestibule.yaml:33:15
       |
    33 |   key_files: [gone]
       |               ^^^^
       |
       = at: session.key_files[0]
       = help: `vestibule keys session --out DIR/gone` creates it; all replicas need the same key

    error: the key file `DIR/gone` does not exist
      --> vestibule.yaml:36:21
       |
    36 |   signing_key_file: gone
       |                     ^^^^
       |
       = at: claims.signing_key_file
       = help: `vestibule keys signing --out DIR/gone` creates it; all replicas need the same key
    "#);
}

#[test]
fn files_that_are_not_keys() {
    assert_snapshot!(report("short", &[("[session-key]", "[session-key, short-key, secret, session-key-2]"), ("signing_key_file: claims-key", "signing_key_file: session-key")]), @r#"
    error: the file `DIR/short-key` holds a key of 64 bits; it needs at least 256
      --> vestibule.yaml:33:28
       |
    33 |   key_files: [session-key, short-key, secret, session-key-2]
       |                            ^^^^^^^^^
       |
       = at: session.key_files[1]
       = help: `vestibule keys session --out FILE` creates one

    error: the file `DIR/secret` is not a key: 64 hexadecimal digits, or base64
      --> vestibule.yaml:33:39
       |
    33 |   key_files: [session-key, short-key, secret, session-key-2]
       |                                       ^^^^^^
       |
       = at: session.key_files[2]
       = help: `vestibule keys session --out FILE` creates one

    error: the file `DIR/session-key` is not a private key in PEM form (PKCS #8, PKCS #1 or SEC 1)
      --> vestibule.yaml:36:21
       |
    36 |   signing_key_file: session-key
       |                     ^^^^^^^^^^^
       |
       = at: claims.signing_key_file
       = help: `vestibule keys signing --out FILE` creates one
    "#);
    assert_snapshot!(report("nokeys", &[("[session-key]", "[]")]), @r#"
    error: expected at least one file
      --> vestibule.yaml:33:3
       |
    33 |   key_files: []
       |   ^^^^^^^^^
       |
       = at: session.key_files
       = help: `vestibule keys session --out FILE` creates one
    "#);
}

#[test]
fn files_that_are_not_keys_to_publish() {
    let previous = "  signing_key_file: claims-key\n  previous_key_files: [session-key, tls.pem, gone, claims-key]";
    assert_snapshot!(report("unpublished", &[("  signing_key_file: claims-key", previous)]), @r#"
    error: the file `DIR/session-key` is neither a public key nor a private key in PEM form (`PUBLIC KEY`, `PRIVATE KEY`)
      --> vestibule.yaml:37:24
       |
    37 |   previous_key_files: [session-key, tls.pem, gone, claims-key]
       |                        ^^^^^^^^^^^
       |
       = at: claims.previous_key_files[0]
       = help: `openssl pkey -in PRIVATE_KEY_FILE -pubout -out FILE` writes the public key of a private one

    error: the file `DIR/tls.pem` is neither a public key nor a private key in PEM form (`PUBLIC KEY`, `PRIVATE KEY`)
      --> vestibule.yaml:37:37
       |
    37 |   previous_key_files: [session-key, tls.pem, gone, claims-key]
       |                                     ^^^^^^^
       |
       = at: claims.previous_key_files[1]
       = help: `openssl pkey -in PRIVATE_KEY_FILE -pubout -out FILE` writes the public key of a private one

    error: the file `DIR/gone` cannot be read: no such file or directory
      --> vestibule.yaml:37:46
       |
    37 |   previous_key_files: [session-key, tls.pem, gone, claims-key]
       |                                              ^^^^
       |
       = at: claims.previous_key_files[2]
    "#);
}

#[test]
fn headers_and_signer() {
    let claims = "  signer: \"\"\n  headers: { x-amzn-oidc-data: sub, \"x y\": sub, x-mail: \"a..b\", x-groups: [] }";
    assert_snapshot!(report("headers", &[("  signer: arn:vestibule:dashboard", claims)]), @r#"
    error: the signer is empty
      --> vestibule.yaml:35:11
       |
    35 |   signer: ""
       |           ^^
       |
       = at: claims.signer
       = help: write a name for this deployment: `arn:vestibule:NAME`

    error: the header `x-amzn-oidc-data` is reserved
      --> vestibule.yaml:36:14
       |
    36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
       |              ^^^^^^^^^^^^^^^^
       |
       = at: claims.headers.x-amzn-oidc-data
       = help: choose another name, for example `x-forwarded-email`

    error: `x y` is not a header name
      --> vestibule.yaml:36:37
       |
    36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
       |                                     ^^^^^
       |
       = at: claims.headers."x y"

    error: this is not the name of a claim
      --> vestibule.yaml:36:57
       |
    36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
       |                                                         ^^^^^^
       |
       = at: claims.headers.x-mail
       = help: write `email`, `realm_access.roles` or `["a.b", c]`

    error: this is not the name of a claim
      --> vestibule.yaml:36:65
       |
    36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
       |                                                                 ^^^^^^^^
       |
       = at: claims.headers.x-groups
       = help: write `email`, `realm_access.roles` or `["a.b", c]`
    "#);
}

#[test]
fn headers_that_no_claim_may_have() {
    let claims = "  headers:\n    X-Team: team\n    x-team: groups\n    x_user: sub\n    X.Mail: email\n    Authorization: sub\n    x-forwarded-for: sub\n    cookie: sub\n  signer: arn:vestibule:dashboard";
    assert_snapshot!(report("taken", &[("  signer: arn:vestibule:dashboard", claims)]), @r#"
    error: the header `x-team` is given twice
      --> vestibule.yaml:37:5
       |
    37 |     x-team: groups
       |     ^^^^^^
       |
       = at: claims.headers.x-team
       = help: header names are case-insensitive; a target would receive only one of the two claims

    error: the header name `x_user` has characters other than letters, digits and `-`
      --> vestibule.yaml:38:5
       |
    38 |     x_user: sub
       |     ^^^^^^
       |
       = at: claims.headers.x_user
       = help: write `x-user`: many applications treat both names as the same header

    error: the header name `X.Mail` has characters other than letters, digits and `-`
      --> vestibule.yaml:39:5
       |
    39 |     X.Mail: email
       |     ^^^^^^
       |
       = at: claims.headers."X.Mail"
       = help: write `X-Mail`: many applications treat both names as the same header

    error: the header `authorization` is reserved
      --> vestibule.yaml:40:5
       |
    40 |     Authorization: sub
       |     ^^^^^^^^^^^^^
       |
       = at: claims.headers.Authorization
       = help: choose another name, for example `x-forwarded-email`

    error: the header `x-forwarded-for` is reserved
      --> vestibule.yaml:41:5
       |
    41 |     x-forwarded-for: sub
       |     ^^^^^^^^^^^^^^^
       |
       = at: claims.headers.x-forwarded-for
       = help: choose another name, for example `x-forwarded-email`

    error: the header `cookie` is reserved
      --> vestibule.yaml:42:5
       |
    42 |     cookie: sub
       |     ^^^^^^
       |
       = at: claims.headers.cookie
       = help: choose another name, for example `x-forwarded-email`
    "#);
}

#[test]
fn files_that_every_user_can_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let files = super::super::files("readers");
    for file in ["session-key", "claims-key", "tls-key.pem", "tls.pem"] {
        std::fs::set_permissions(files.join(file), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let config = super::super::load_in(&files, super::super::SOUND).unwrap_or_else(|report| panic!("{report}"));
    let warnings = config.warnings().to_string();
    for file in ["session-key", "claims-key", "tls-key.pem"] {
        assert!(warnings.contains(&format!("{file}`, which contains a secret")), "{file}: {warnings}");
    }
    assert!(!warnings.contains("tls.pem"), "a certificate is public: {warnings}");
}

//! `user_pools`.

use insta::assert_snapshot;

use super::{report, report_of, warnings};
use crate::config::tests::{SOUND, files, load_in};

const POOL: &str = "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
";

/// A pool with that below it.
#[track_caller]
fn pool(name: &str, below: &str) -> String {
    report_of(name, &format!("{SOUND}{POOL}{below}"))
}

#[test]
fn users() {
    let users = "    users:
      - { username: ada, password_hash: hunter2 }
      - { username: \" ADA \", password_hash: \"$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\" }
      - { username: eve, subject: same, password_hash: \"$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\" }
      - { username: bob, subject: same, password_hash: \"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\", claims: { sub: x, email: x } }
";
    assert_snapshot!(pool("users", users), @r#"
    error: not a password hash in PHC form (`$argon2id$v=19$m=…`)
      --> vestibule.yaml:42:41
       |
    42 |       - { username: ada, password_hash: …
       |                                         ^
       |
       = at: user_pools.people.users[0].password_hash
       = help: `vestibule users hash` prints one

    error: the user ` ADA ` is defined twice
      --> vestibule.yaml:43:21
       |
    42 |       - { username: ada, password_hash: …
       |                     --- first defined here
    43 |       - { username: " ADA ", password_hash: …
       |                     ^^^^^^^
       |
       = at: user_pools.people.users[1].username

    error: not an Argon2id hash of version 19
      --> vestibule.yaml:43:45
       |
    43 |       - { username: " ADA ", password_hash: …
       |                                             ^
       |
       = at: user_pools.people.users[1].password_hash
       = help: `vestibule users hash` prints one

    error: the hash costs more than m=262144 (KiB), t=16, p=8
      --> vestibule.yaml:44:56
       |
    44 |       - { username: eve, subject: same, password_hash: …
       |                                                        ^
       |
       = at: user_pools.people.users[2].password_hash
       = help: `vestibule users hash` prints one

    error: the subject `same` is already used by another user
      --> vestibule.yaml:45:35
       |
    44 |       - { username: eve, subject: same, password_hash: …
       |                                   ---- first used here
    45 |       - { username: bob, subject: same, password_hash: ……………………………………………………………………………………………………………………………………………………………………………………………………………...
       |                                   ^^^^
       |
       = at: user_pools.people.users[3].subject

    error: the claim `sub` is reserved: the pool sets it
      --> vestibule.yaml:45:167
       |
    45 | ...………………………………………………………………………………………………………………………………………, claims: { sub: x, email: x } }
       |                                                                   ^^^
       |
       = at: user_pools.people.users[3].claims.sub

    error: `email` is a setting of the user; set it there
      --> vestibule.yaml:45:175
       |
    45 | ...………………………………………………………………………………………………………………, claims: { sub: x, email: x } }
       |                                                                  ^^^^^
       |
       = at: user_pools.people.users[3].claims.email
    "#);
}

#[test]
fn resources_that_no_token_is_for() {
    for (index, (resource, expected)) in [
        ("http://app.example.com", "is not `https`"),
        ("app", "is not a URL"),
        ("https://app.example.com?x", "has a query"),
        ("https://app.example.com/#x", "has a fragment"),
    ]
    .into_iter()
    .enumerate()
    {
        let client = format!(
            "    clients:\n      - {{ client_id: cli, redirect_uris: ['http://127.0.0.1/callback'], id_token_signed_response_alg: ES256, resources: ['{resource}'] }}\n"
        );
        let said = pool(&format!("resources-{index}"), &client);
        assert!(said.contains(expected) && said.contains("resources[0]"), "{resource}: {said}");
    }
}

#[test]
fn clients() {
    let clients = "    clients:
      - { client_id: vestibule, redirect_uris: [https://x.example.com/cb] }
      - { client_id: a, redirect_uris: [] }
      - { client_id: a, redirect_uris: [http://x.example.com/cb, \"https://x.example.com/#x\", /cb, \"javascript:x\", \"com.example.app:/cb\"], client_secret: \"\" }
";
    assert_snapshot!(pool("clients", clients), @r#"
    warning: ID tokens are signed only with ES256, but many relying parties support only RS256
      --> vestibule.yaml:41:5
       |
    41 |     clients:
       |     ^^^^^^^
       |
       = at: user_pools.people.clients
       = help: run `vestibule keys signing --algorithm rs256 --out FILE` and set `rs256_signing_key_file: FILE`, or set `id_token_signed_response_alg: ES256` for each client

    error: the client ID `vestibule` is reserved
      --> vestibule.yaml:42:22
       |
    42 |       - { client_id: vestibule, redirect_uris: [https://x.example.com/cb] }
       |                      ^^^^^^^^^
       |
       = at: user_pools.people.clients[0].client_id
       = help: choose another one

    error: expected at least one address
      --> vestibule.yaml:43:25
       |
    43 |       - { client_id: a, redirect_uris: [] }
       |                         ^^^^^^^^^^^^^
       |
       = at: user_pools.people.clients[1].redirect_uris

    error: the client `a` is defined twice
      --> vestibule.yaml:44:22
       |
    43 |       - { client_id: a, redirect_uris: [] }
       |                      - first defined here
    44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x", /cb, "javascript:x", "com.example.app:/...
       |                      ^
       |
       = at: user_pools.people.clients[2].client_id

    error: `http://x.example.com/cb` is not allowed as a redirect URI
      --> vestibule.yaml:44:41
       |
    44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x", /cb, "javascript:x", "com.example.app:/...
       |                                         ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.clients[2].redirect_uris[0]
       = help: a redirect URI is https, or http on localhost, 127.0.0.1 or [::1]

    error: `https://x.example.com/#x` is not allowed as a redirect URI
      --> vestibule.yaml:44:66
       |
    44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x", /cb, "javascript:x", "com.example.app:/...
       |                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.clients[2].redirect_uris[1]
       = help: a redirect URI has no fragment (`#…`)

    error: `/cb` is not a URL
      --> vestibule.yaml:44:94
       |
    44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x", /cb, "javascript:x", "com.example.app:/...
       |                                                                                              ^^^
       |
       = at: user_pools.people.clients[2].redirect_uris[2]
       = help: write `https://host/path`

    error: `javascript:x` is not allowed as a redirect URI
      --> vestibule.yaml:44:99
       |
    44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x", /cb, "javascript:x", "com.example.app:/...
       |                                                                                                   ^^^^^^^^^^^^^^
       |
       = at: user_pools.people.clients[2].redirect_uris[3]
       = help: a redirect URI has the scheme https, or an app's own with a dot in it, as com.example.app

    error: the secret is empty
      --> vestibule.yaml:44:154
       |
    44 | ...x", /cb, "javascript:x", "com.example.app:/cb"], client_secret: …
       |                                                                    ^
       |
       = at: user_pools.people.clients[2].client_secret
    "#);
}

#[test]
fn applications() {
    assert_snapshot!(pool("applications", "    applications: [https://login.example.com, https://app.example.com/, \"http://localhost:3000\"]\n"), @r#"
    error: this application uses the host of the pool
      --> vestibule.yaml:41:20
       |
    41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
       |                    ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.applications[0]
       = help: use a separate host for the pool

    error: `https://app.example.com/` must have only a scheme, a host and a port
      --> vestibule.yaml:41:47
       |
    41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
       |                                               ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.applications[1]
       = help: write `https://app.example.com`

    error: `http://localhost:3000` is not `https`
      --> vestibule.yaml:41:73
       |
    41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
       |                                                                         ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.applications[2]
       = help: session cookies need TLS
    "#);
    let text = format!("{SOUND}{POOL}").replace(
        "      - type: authenticate-oidc\n        provider: corp",
        "      - type: authenticate-user-pool\n        user_pool: people\n        session_cookie_name: __Host-people",
    );
    assert_snapshot!(report_of("applications2", &text), @r#"
    error: `applications` is missing: a rule uses this pool
      --> vestibule.yaml:39:3
       |
    20 |       - type: authenticate-user-pool
       |         - used here
    ...
    39 |   people:
       |   ^^^^^^
       |
       = at: user_pools.people
       = help: add `applications: [https://app.example.com]`
    "#);
}

#[test]
fn issuers() {
    let text = format!("{SOUND}{POOL}").replace(
        "  people:\n    issuer: https://login.example.com",
        "  people:\n    issuer: https://login.example.com/pool/",
    );
    assert_snapshot!(report_of("poolissuer", &text), @r#"
    error: `https://login.example.com/pool/` must have only a scheme, a host and a port
      --> vestibule.yaml:39:13
       |
    39 |     issuer: https://login.example.com/pool/
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.issuer
       = help: write `https://login.example.com`
    "#);
    let text = format!("{SOUND}{POOL}")
        .replace("  people:\n    issuer: https://login.example.com", "  people:\n    issuer: http://localhost:9000");
    assert_snapshot!(report_of("poolissuer2", &text), @r#"
    error: no `http` listener serves this issuer
      --> vestibule.yaml:39:13
       |
    39 |     issuer: http://localhost:9000
       |             ^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.issuer
    "#);
}

#[test]
fn a_host_that_is_not_the_pools_alone() {
    let pools = format!("{POOL}    applications: [\"https://app.example.com\", \"https://login.example.com:8443\", \"https://staff.example.com\"]
  staff:
    issuer: https://staff.example.com:9443
    signing_key_file: pool-key
  more:
    issuer: https://staff.example.com:7443
    signing_key_file: pool-key
");
    assert_snapshot!(warnings("poolhosts", &[("session:\n", &format!("{pools}session:\n"))]), @r#"
    warning: the application `https://login.example.com:8443` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:34:13
       |
    34 |     issuer: https://login.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.issuer
       = help: use a separate host for the pool

    warning: the application `https://staff.example.com` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:38:13
       |
    38 |     issuer: https://staff.example.com:9443
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.staff.issuer
       = help: use a separate host for the pool

    warning: the pool `https://staff.example.com:7443` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:38:13
       |
    38 |     issuer: https://staff.example.com:9443
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.staff.issuer
       = help: use a separate host for the pool

    warning: the application `https://staff.example.com` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:41:13
       |
    41 |     issuer: https://staff.example.com:7443
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.more.issuer
       = help: use a separate host for the pool
    "#);
    let pools = pools.replace(":9443", "");
    assert_snapshot!(report("poolhosts2", &[("session:\n", &format!("{pools}session:\n"))]), @r#"
    warning: the application `https://login.example.com:8443` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:34:13
       |
    34 |     issuer: https://login.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.issuer
       = help: use a separate host for the pool

    error: the application `https://staff.example.com` of another pool uses the host of this pool
      --> vestibule.yaml:38:13
       |
    38 |     issuer: https://staff.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.staff.issuer
       = help: use a separate host for the pool

    warning: the pool `https://staff.example.com:7443` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:38:13
       |
    38 |     issuer: https://staff.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.staff.issuer
       = help: use a separate host for the pool

    warning: the application `https://staff.example.com` uses the host of this pool: browsers send it the cookies of the pool, on every port
      --> vestibule.yaml:41:13
       |
    41 |     issuer: https://staff.example.com:7443
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.more.issuer
       = help: use a separate host for the pool
    "#);
}

#[test]
fn hashes_of_different_costs_are_warned_about() {
    let hash = |memory: &str| {
        format!(
            "\"$argon2id$v=19$m={memory},t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\""
        )
    };
    let users = |one: &str, other: &str| {
        let (one, other) = (hash(one), hash(other));
        format!(
            "    users:\n      - {{ username: ada, password_hash: {one} }}\n      - {{ username: bob, password_hash: {other} }}\n"
        )
    };
    let warned =
        |name: &str, users: String| warnings(name, &[("target_groups:\n", &format!("{POOL}{users}target_groups:\n"))]);
    let found = warned("costs", users("19456", "8"));
    assert!(found.contains("the password hashes have 2 different costs"), "{found}");
    assert!(!warned("one-cost", users("19456", "19456")).contains("different costs"));
}

#[test]
fn a_client_is_given_what_the_pool_has_and_a_public_one_pkce() {
    let client = |settings: &str| {
        format!("    clients:\n      - {{ client_id: a, redirect_uris: [https://a.example.com/cb], {settings} }}\n")
    };
    let found = pool("rs256", &client("client_secret: s, id_token_signed_response_alg: RS256"));
    assert!(found.contains("error: the pool has no key for RS256"), "{found}");
    assert!(found.contains("vestibule keys signing --algorithm rs256 --out FILE"), "{found}");
    let found = pool("public", &client("pkce: optional"));
    assert!(found.contains("error: a client without a secret must use PKCE"), "{found}");
    let warned = |name: &str, settings: &str| {
        warnings(name, &[("target_groups:\n", &format!("{POOL}{}target_groups:\n", client(settings)))])
    };
    let found = warned("optional", "client_secret: s, pkce: optional, id_token_signed_response_alg: ES256");
    assert!(found.contains("a stolen code is protected by the client secret only"), "{found}");
    assert!(!found.contains("RS256"), "{found}");
    assert!(warned("es256", "client_secret: s").contains("many relying parties support only RS256"));
    let wrong = format!(
        "{SOUND}{}",
        POOL.replace("signing_key_file: pool-key", "signing_key_file: pool-key\n    rs256_signing_key_file: pool-key")
    );
    let found = report_of("wrong-algorithm", &wrong);
    assert!(found.contains("is a key for ES256, but a key for RS256 is required"), "{found}");
}

#[test]
fn b_10_the_claims_for_targets_are_no_tokens_of_a_pool() {
    let said = report_of("pool-same-key", &format!("{SOUND}{POOL}").replace("pool-key", "claims-key"));
    assert!(said.contains("error: this key also signs the claims for targets"), "{said}");
    assert!(said.contains("= at: user_pools.people.signing_key_file"), "{said}");
}

/// What is said of a pool without `signing_key_file`, by its first line each.
#[track_caller]
fn said(name: &str, below: &str) -> Vec<String> {
    let pool = format!("user_pools:\n  people:\n    issuer: https://login.example.com\n{below}");
    let report = report_of(name, &format!("{SOUND}{pool}"));
    report.lines().filter(|line| line.starts_with("error: ")).map(str::to_owned).collect()
}

#[test]
fn a_misspelled_setting_is_one_error() {
    let needing = "    mail: { smtp: 'smtp://127.0.0.1', from: pool@example.com }\n    sign_up: { open: true, verify: [email] }\n    \
                   recovery: [email]\n    mfa: { factors: [totp] }\n    retention: { events: 30d }\n    account: { delete: true }\n    \
                   attributes: { required: [email] }\n    password_policy: { min_length: 14 }\n    \
                   clients: [{ client_id: c, client_secret: s3cret-s3cret-s3cret-s3cret-s3cret, redirect_uris: ['https://c.example.com/'], introspection: true }]\n";
    let store = |key: &str, value: &str| format!("    {key}: {value}\n{needing}");
    let sound = "{ sqlite: people.db, key_files: [session-key] }";
    assert_eq!(said("misspelled", &store("stroe", sound)), ["error: unknown key `stroe`"]);
    // So is a mistake in its value.
    assert_eq!(said("malformed", &store("store", "{ sqlite: people.db }")), ["error: `key_files` is missing"]);
    // What is not there at all is missed where it is needed.
    assert!(said("missing", &store("title", "People")).contains(&"error: `mail` needs `store`".to_owned()));
    let below = "    store: { sqlite: people.db, key_files: [session-key] }\n    mial: { smtp: 'smtp://127.0.0.1', from: pool@example.com }\n    \
                 mfa: { factors: [email, totp] }\n    recovery: [email]\n    sign_up: { open: true, verify: [email] }\n";
    assert_eq!(said("misspelled-mail", below), ["error: unknown key `mial`"]);
}

#[test]
fn a_pool_whose_host_has_no_certificate_is_refused() {
    let issuer =
        |host: &str| format!("user_pools:\n  people:\n    issuer: https://{host}\n    signing_key_file: pool-key\n");
    let report = report_of("uncovered", &format!("{SOUND}{}", issuer("id.example.net")));
    assert_snapshot!(report, @r"
    error: no certificate of a listener covers `id.example.net`, so no browser opens it
      --> vestibule.yaml:39:13
       |
    39 |     issuer: https://id.example.net
       |             ^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: user_pools.people.issuer
       = help: add one to `certificates` of a listener, or set `tls: auto` there; behind a proxy that has it, set `trusted_proxies`
    ");
    for (name, host) in [("covered", "login.example.com"), ("address", "192.0.2.1")] {
        let files = files(name);
        assert!(load_in(&files, &format!("{SOUND}{}", issuer(host))).is_ok(), "{host}");
    }
    // A proxy in front may have the certificate.
    let encrypting = SOUND.replace("    protocol: https\n", "    protocol: https\n    trusted_proxies: [10.0.0.0/8]\n");
    load_in(&files("encrypting"), &format!("{encrypting}{}", issuer("id.example.net")))
        .unwrap_or_else(|report| panic!("{report}"));
    let behind = SOUND
        .replace("    protocol: https\n    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n", "    protocol: http\n    trusted_proxies: [10.0.0.0/8]\n");
    load_in(&files("behind"), &format!("{behind}{}", issuer("id.example.net")))
        .unwrap_or_else(|report| panic!("{report}"));
}

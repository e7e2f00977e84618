use insta::assert_snapshot;

use super::{SOUND, report, report_of};

#[test]
fn an_authorize_that_cannot_be_what_was_meant() {
    let gate = "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";
    let with = |authorize: &str| {
        let actions = format!("{gate}          - {{ type: authorize, {authorize} }}\n");
        report("authorize", &[(gate, &actions)])
    };
    let all = [
        "any: []",
        "any: [{ claim: groups }]",
        "any: [{ contains: [a] }]",
        "any: [{ claim: groups, contains: [a], equals: [b] }]",
        "any: [{ claim: groups, contains: [] }]",
        "any: [{ claim: groups, contains: [\"\"] }]",
        "any: [{ claim: a..b, equals: [c] }]",
        "any: [{ claim: upn, domain: [example.com] }]",
        "all: [{ claim: email, domain: [\"@example.com\", \"*.example.com\", 10.0.0.1] }]",
        "any: [{ claim: a, equals: [b] }], all: [{ claim: a, equals: [b] }]",
        "any: [{ claim: a, equals: [b], not: { claim: c, equals: [d] } }]",
        "any: [{ claim: a, equals: [7.5, [a], ~] }]",
        "any: [{ claim: upn, address: [ada@example.com] }]",
        "any: [{ claim: email, address: [example.com, \"@example.com\", ada@10.0.0.1, ada@example.com] }]",
        "mode: report",
        "any: [{ klaim: a }]",
        "contact: it@example.com",
        "claim: groups, contains: [a]",
        "any: [{ claim: a, matches: [b] }]",
        "any: [{ claim: a, equals: 3 }]",
        "any: { claim: a, equals: [b] }",
        "not: [{ claim: a, equals: [b] }]",
        "max_age: 1h, contact: \"\"",
        "any: [{ claim: a, equals: [b] }], mode: true",
    ];
    let said: Vec<String> = all
        .iter()
        .map(|authorize| {
            let text = with(authorize);
            let told = text.lines().filter(|line| line.starts_with("error") || line.trim_start().starts_with("= "));
            format!("{authorize}\n{}\n", told.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert_snapshot!(said.join("\n"), @r##"
    any: []
    error: this list is empty, so nobody would be let in
       = at: listeners[0].rules[0].actions[1].any
       = help: write at least one requirement

    any: [{ claim: groups }]
    error: a claim needs exactly one of `contains`, `equals`, `domain` and `address`
       = at: listeners[0].rules[0].actions[1].any[0]
       = help: for example `{ claim: groups, contains: [staff] }`

    any: [{ contains: [a] }]
    error: this is not one requirement
       = at: listeners[0].rules[0].actions[1].any[0]
       = help: set exactly one of `any`, `all` and `not`, or a `claim` with one of `contains`, `equals`, `domain` and `address`, or `client_certificate`

    any: [{ claim: groups, contains: [a], equals: [b] }]
    error: a claim needs exactly one of `contains`, `equals`, `domain` and `address`
       = at: listeners[0].rules[0].actions[1].any[0]
       = help: for example `{ claim: groups, contains: [staff] }`

    any: [{ claim: groups, contains: [] }]
    error: this list is empty, so nobody would be let in
       = at: listeners[0].rules[0].actions[1].any[0].contains
       = help: write at least one value, or remove the key

    any: [{ claim: groups, contains: [""] }]
    error: this value is empty
       = at: listeners[0].rules[0].actions[1].any[0].contains[0]
       = help: write a value, or remove it

    any: [{ claim: a..b, equals: [c] }]
    error: this is not the name of a claim
       = at: listeners[0].rules[0].actions[1].any[0].claim
       = help: write `email`, `realm_access.roles` or `["a.b", c]`

    any: [{ claim: upn, domain: [example.com] }]
    error: `domain` is only for the claim `email`
       = at: listeners[0].rules[0].actions[1].any[0].domain
       = help: no other claim says whether an address is verified

    all: [{ claim: email, domain: ["@example.com", "*.example.com", 10.0.0.1] }]
    error: `@example.com` is not a domain
       = at: listeners[0].rules[0].actions[1].all[0].domain[0]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain
    error: `*.example.com` is not a domain
       = at: listeners[0].rules[0].actions[1].all[0].domain[1]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain
    error: `10.0.0.1` is not a domain
       = at: listeners[0].rules[0].actions[1].all[0].domain[2]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain

    any: [{ claim: a, equals: [b] }], all: [{ claim: a, equals: [b] }]
    error: this is not one requirement
       = at: listeners[0].rules[0].actions[1]
       = help: set exactly one of `any`, `all` and `not`, for example `any: [{ claim: groups, contains: [staff] }]`; or set only `max_age` or `acr`

    any: [{ claim: a, equals: [b], not: { claim: c, equals: [d] } }]
    error: this is not one requirement
       = at: listeners[0].rules[0].actions[1].any[0]
       = help: set exactly one of `any`, `all` and `not`, or a `claim` with one of `contains`, `equals`, `domain` and `address`, or `client_certificate`

    any: [{ claim: a, equals: [7.5, [a], ~] }]
    error: expected text, a whole number, `true` or `false`, found a number
       = at: listeners[0].rules[0].actions[1].any[0].equals[0]
       = help: numbers with a fraction cannot be compared; let the claim be text or a whole number
    error: expected text, a whole number, `true` or `false`, found a list
       = at: listeners[0].rules[0].actions[1].any[0].equals[1]
    error: this item is empty
       = at: listeners[0].rules[0].actions[1].any[0].equals[2]
       = help: `-` must be followed by a value

    any: [{ claim: upn, address: [ada@example.com] }]
    error: `address` is only for the claim `email`
       = at: listeners[0].rules[0].actions[1].any[0].address
       = help: no other claim says whether an address is verified

    any: [{ claim: email, address: [example.com, "@example.com", ada@10.0.0.1, ada@example.com] }]
    error: `example.com` is not an e-mail address
       = at: listeners[0].rules[0].actions[1].any[0].address[0]
       = help: write `ada@example.com`; for all addresses of a domain, use `domain` or `allowed_email_domains`
    error: `@example.com` is not an e-mail address
       = at: listeners[0].rules[0].actions[1].any[0].address[1]
       = help: write `ada@example.com`; for all addresses of a domain, use `domain` or `allowed_email_domains`
    error: `ada@10.0.0.1` is not an e-mail address
       = at: listeners[0].rules[0].actions[1].any[0].address[2]
       = help: write `ada@example.com`; for all addresses of a domain, use `domain` or `allowed_email_domains`

    mode: report
    error: this is not one requirement
       = at: listeners[0].rules[0].actions[1]
       = help: set exactly one of `any`, `all` and `not`, for example `any: [{ claim: groups, contains: [staff] }]`; or set only `max_age` or `acr`

    any: [{ klaim: a }]
    error: unknown key `klaim`
       = at: listeners[0].rules[0].actions[1].any[0].klaim
       = help: did you mean `claim`?

    contact: it@example.com
    error: this is not one requirement
       = at: listeners[0].rules[0].actions[1]
       = help: set exactly one of `any`, `all` and `not`, for example `any: [{ claim: groups, contains: [staff] }]`; or set only `max_age` or `acr`

    claim: groups, contains: [a]
    error: unknown key `claim`
       = at: listeners[0].rules[0].actions[1].claim
       = help: put the test below `all`: `all: [{ claim: groups, contains: [staff] }]`
    error: unknown key `contains`
       = at: listeners[0].rules[0].actions[1].contains
       = help: put the test below `all`: `all: [{ claim: groups, contains: [staff] }]`

    any: [{ claim: a, matches: [b] }]
    error: unknown key `matches`
       = at: listeners[0].rules[0].actions[1].any[0].matches
       = help: values are compared exactly: use `contains` or `equals`

    any: [{ claim: a, equals: 3 }]
    error: expected a list, found a whole number
       = at: listeners[0].rules[0].actions[1].any[0].equals
       = help: write a list: `[a]`, `[a, b]`

    any: { claim: a, equals: [b] }
    error: expected a list, found a mapping
       = at: listeners[0].rules[0].actions[1].any
       = help: put `-` before it, or `[ ]` around it, to make it a list

    not: [{ claim: a, equals: [b] }]
    error: expected a mapping (`key: value`), found a list
       = at: listeners[0].rules[0].actions[1].not
       = help: write one mapping here, not a list

    max_age: 1h, contact: ""
    error: this value is empty
       = at: listeners[0].rules[0].actions[1].contact
       = help: write whom to ask, or remove it

    any: [{ claim: a, equals: [b] }], mode: true
    error: expected text, found a boolean
       = at: listeners[0].rules[0].actions[1].mode
       = help: expected one of `enforce` or `report`
    "##);
}

#[test]
fn allowed_users_that_cannot_be_what_was_meant() {
    let gate = "            provider: corp\n            on_unauthenticated_request: deny\n";
    let all = [
        "allowed_groups: []",
        "allowed_groups: [\"\", staff, \" \"]",
        "allowed_groups: [7]",
        "allowed_groups: staff",
        "allowed_emails: []",
        "allowed_emails: [example.com]",
        "allowed_email_domains: []",
        "allowed_email_domains: [\"@example.com\", ada@example.com, \".example.com\", example.com, \"*.example.com\"]",
        "groups_claim: roles",
        "{ groups_claim: a..b, allowed_groups: [a] }",
        "allowed_group: [a]",
    ];
    let said: Vec<String> = all
        .iter()
        .map(|keys| {
            let lines = keys.trim_matches(['{', '}', ' ']).replace(", allowed_groups", "\n            allowed_groups");
            let text = report("allowed", &[(gate, &format!("{gate}            {lines}\n"))]);
            let told = text.lines().filter(|line| {
                let line = line.trim_start();
                line.starts_with("error") || line.starts_with("= ") || line.starts_with("--> ")
            });
            format!("{keys}\n{}\n", told.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert_snapshot!(said.join("\n"), @r#"
    allowed_groups: []
    error: this list is empty, so nobody would be let in
      --> vestibule.yaml:17:13
       = at: listeners[0].rules[0].actions[0].allowed_groups
       = help: write at least one value, or remove the key

    allowed_groups: ["", staff, " "]
    error: this value is empty
      --> vestibule.yaml:17:30
       = at: listeners[0].rules[0].actions[0].allowed_groups[0]
       = help: write a value, or remove it
    error: this value is empty
      --> vestibule.yaml:17:41
       = at: listeners[0].rules[0].actions[0].allowed_groups[2]
       = help: write a value, or remove it

    allowed_groups: [7]
    error: expected text, found a whole number
      --> vestibule.yaml:17:30
       = at: listeners[0].rules[0].actions[0].allowed_groups[0]
       = help: put it in quotes

    allowed_groups: staff
    error: expected a list, found text
      --> vestibule.yaml:17:29
       = at: listeners[0].rules[0].actions[0].allowed_groups
       = help: write a list: `[a]`, `[a, b]`

    allowed_emails: []
    error: this list is empty, so nobody would be let in
      --> vestibule.yaml:17:13
       = at: listeners[0].rules[0].actions[0].allowed_emails
       = help: write at least one value, or remove the key

    allowed_emails: [example.com]
    error: `example.com` is not an e-mail address
      --> vestibule.yaml:17:30
       = at: listeners[0].rules[0].actions[0].allowed_emails[0]
       = help: write `ada@example.com`; for all addresses of a domain, use `domain` or `allowed_email_domains`

    allowed_email_domains: []
    error: this list is empty, so nobody would be let in
      --> vestibule.yaml:17:13
       = at: listeners[0].rules[0].actions[0].allowed_email_domains
       = help: write at least one value, or remove the key

    allowed_email_domains: ["@example.com", ada@example.com, ".example.com", example.com, "*.example.com"]
    error: `@example.com` is not a domain
      --> vestibule.yaml:17:37
       = at: listeners[0].rules[0].actions[0].allowed_email_domains[0]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain
    error: `ada@example.com` is not a domain
      --> vestibule.yaml:17:53
       = at: listeners[0].rules[0].actions[0].allowed_email_domains[1]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain
    error: `.example.com` is not a domain
      --> vestibule.yaml:17:70
       = at: listeners[0].rules[0].actions[0].allowed_email_domains[2]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain
    error: `*.example.com` is not a domain
      --> vestibule.yaml:17:99
       = at: listeners[0].rules[0].actions[0].allowed_email_domains[4]
       = help: write what follows the `@`, for example `example.com`; list each sub-domain

    groups_claim: roles
    error: `groups_claim` without `allowed_groups`
      --> vestibule.yaml:17:27
       = at: listeners[0].rules[0].actions[0].groups_claim
       = help: it only says which claim `allowed_groups` looks at; set both, or remove it

    { groups_claim: a..b, allowed_groups: [a] }
    error: this is not the name of a claim
      --> vestibule.yaml:17:27
       = at: listeners[0].rules[0].actions[0].groups_claim
       = help: write `email`, `realm_access.roles` or `["a.b", c]`

    allowed_group: [a]
    error: unknown key `allowed_group`
      --> vestibule.yaml:17:13
       = at: listeners[0].rules[0].actions[0].allowed_group
       = help: did you mean `allowed_groups`?
    "#);
}

#[test]
fn a_07_an_authorize_without_a_user() {
    let gate = "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";
    let authorize = "          - { type: authorize, any: [{ claim: groups, contains: [a] }] }\n";
    let first = format!("{authorize}{gate}");
    let allow = format!("{}{authorize}", gate.replace(": deny", ": allow"));
    let short = format!("{}            allowed_groups: [a]\n", gate.replace(": deny", ": allow"));
    let said =
        [authorize.to_owned(), first, allow, short].map(|actions| report("authorize-without", &[(gate, &actions)]));
    assert_snapshot!(said.join("\n"), @r#"
    error: `authorize` without an action before it that authenticates
      --> vestibule.yaml:14:13
       |
    14 |           - { type: authorize, any: [{ claim: groups, contains: [a] }] }
       |             ^
       |
       = at: listeners[0].rules[0].actions[0]
       = help: put `authenticate-oidc`, `authenticate-user-pool`, `session-or-bearer` or `jwt-validation` before it

    error: `authorize` without an action before it that authenticates
      --> vestibule.yaml:14:13
       |
    14 |           - { type: authorize, any: [{ claim: groups, contains: [a] }] }
       |             ^
       |
       = at: listeners[0].rules[0].actions[0]
       = help: put `authenticate-oidc`, `authenticate-user-pool`, `session-or-bearer` or `jwt-validation` before it

    error: `authorize` behind `on_unauthenticated_request: allow`, which lets requests pass without a user
      --> vestibule.yaml:17:13
       |
    17 |           - { type: authorize, any: [{ claim: groups, contains: [a] }] }
       |             ^
       |
       = at: listeners[0].rules[0].actions[1]
       = help: remove `allow`, or write two rules

    error: `allowed_groups` with `on_unauthenticated_request: allow`, which lets requests pass without a user
      --> vestibule.yaml:17:13
       |
    17 |             allowed_groups: [a]
       |             ^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[0].allowed_groups
       = help: remove `allow`, or write two rules
    "#);
}

#[test]
fn a_demand_on_the_sign_in_that_cannot_be_met() {
    let gate = "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";
    let with = |more: &str| {
        let text = report("demand", &[(gate, &format!("{gate}{more}"))]);
        let told = text.lines().filter(|line| line.starts_with("error") || line.contains("= help: "));
        let lines: Vec<_> = more.lines().map(str::trim_start).chain(told).collect();
        format!("{}\n", lines.join("\n"))
    };
    let said = [
        "          - { type: authorize, max_age: 30s }\n",
        "          - { type: authorize, max_age: soon }\n",
        "          - { type: authorize, acr: [] }\n",
        "          - { type: authorize, acr: [\"phr phrh\", \"\"] }\n",
        "          - { type: authorize, max_age: 1h }\n          - { type: authorize, acr: [phr] }\n",
    ]
    .map(with);
    assert_snapshot!(said.join("\n"), @r#"
    - { type: authorize, max_age: 30s }
    error: 30s is out of range: 1m to 365d

    - { type: authorize, max_age: soon }
    error: `soon` is not a duration
       = help: write `500ms`, `30s`, `15m`, `8h`, `7d`, or a number of seconds

    - { type: authorize, acr: [] }
    error: this list is empty, so nobody would be let in
       = help: write at least one value, or remove the key

    - { type: authorize, acr: ["phr phrh", ""] }
    error: an `acr` is one word
       = help: write each value as an element of the list: `[phr, phrh]`
    error: an `acr` is one word
       = help: write each value as an element of the list: `[phr, phrh]`

    - { type: authorize, max_age: 1h }
    - { type: authorize, acr: [phr] }
    error: a second `authorize` with `max_age` or `acr`
       = help: a user signs in once for both: write `max_age` and `acr` into one of them
    "#);
}

#[test]
fn a_user_pool_takes_no_acr_values() {
    let pool = "user_pools:\n  people: { issuer: \"https://login.example.com:8443\", signing_key_file: pool-key, applications: [\"https://app.example.com:8443\"] }\n";
    let text = SOUND
        .replace("type: authenticate-oidc\n            provider: corp", "type: authenticate-user-pool\n            user_pool: people")
        .replace(
            "on_unauthenticated_request: deny\n",
            "on_unauthenticated_request: deny\n            session_cookie_name: __Host-pool\n          - { type: authorize, acr: [phr] }\n",
        );
    assert_snapshot!(report_of("pool-acr", &(text + pool)), @r"
    error: a user pool asks for no more because of `acr`, so others would never be let in
      --> vestibule.yaml:18:32
       |
    18 |           - { type: authorize, acr: [phr] }
       |                                ^^^
       |
       = at: listeners[0].rules[0].actions[1].acr
       = help: say in `mfa` of the pool who needs a second factor; `max_age` works with a user pool
    ");
}

//! `check --request`: which rule, and why not another.

mod outcomes;

use insta::assert_snapshot;

use super::*;
use crate::config::tests::{SOUND, files, load_in};

const RULES: &str = "
      - name: partner
        priority: 5
        conditions:
          - host_header: [\"*.example.com\"]
          - http_request_method: [GET]
          - source_ip: [192.0.2.0/24]
          - http_header: { name: x-partner, values: [\"yes\"] }
          - query_string: [{ key: version, value: \"2\" }]
        actions:
          - { type: fixed-response, status_code: 200 }
      - name: old
        priority: 20
        conditions: [{ path_pattern: [\"/old/*\"] }]
        actions:
          - { type: redirect, status_code: HTTP_301, path: \"/new/#{path}\" }
";

#[track_caller]
fn explained(name: &str, request: &str, headers: &[&str], client: Option<&str>) -> String {
    let files = files(name);
    let pool = "user_pools:\n  people: { issuer: \"https://login.example.com:8443\", signing_key_file: pool-key }\n";
    let text = SOUND.replace("    rules:\n", &format!("    rules:{RULES}")) + pool;
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let probe = Probe::parse(request, &headers, client.map(|client| client.parse().unwrap())).unwrap();
    without_outcome(&told(config, &probe)).to_owned()
}

#[track_caller]
fn told(config: Config, probe: &Probe) -> String {
    let explained = explain(config, std::slice::from_ref(probe)).expect("it can be assembled");
    explained.iter().map(ToString::to_string).collect()
}

/// What is said before the outcome of a rule.
fn without_outcome(text: &str) -> &str {
    text.split_once("  outcome: ").map_or(text, |(before, _)| before)
}

#[test]
fn every_condition_says_what_it_found() {
    assert_snapshot!(explained("every", "POST https://app.example.com:8443/x", &[], None), @r#"
    POST app.example.com:8443/x on listener `public` (0.0.0.0:8443)
      rule `partner` (priority 5): no
        host_header [*.example.com]: yes
        http_request_method [GET]: no, the method is `POST`
        source_ip [192.0.2.0/24]: no, the client is 127.0.0.1
        http_header x-partner [yes]: no, the header is missing
        query_string [version=2]: no, the query is missing
      rule `api` (priority 10): no
        path_pattern [/api/*]: no, the path is `/x`
      rule `old` (priority 20): no
        path_pattern [/old/*]: no, the path is `/x`
      default actions: takes the request
        -> authenticate-oidc with `corp` (without a session: sign in), then forward to `app`
    "#);
}

#[test]
fn the_first_rule_by_priority_takes_it() {
    let headers = ["x-partner: yes"];
    assert_snapshot!(explained("first", "https://app.example.com:8443/api/x?version=2", &headers, Some("192.0.2.7")), @r#"
    GET app.example.com:8443/api/x on listener `public` (0.0.0.0:8443)
      rule `partner` (priority 5): takes the request
        host_header [*.example.com]: yes
        http_request_method [GET]: yes
        source_ip [192.0.2.0/24]: yes
        http_header x-partner [yes]: yes
        query_string [version=2]: yes
        -> fixed-response 200
    "#);
}

#[test]
fn a_redirect_is_written_out() {
    assert_snapshot!(explained("written", "GET https://app.example.com:8443/old/x", &[], None), @r#"
    GET app.example.com:8443/old/x on listener `public` (0.0.0.0:8443)
      rule `partner` (priority 5): no
        host_header [*.example.com]: yes
        http_request_method [GET]: yes
        source_ip [192.0.2.0/24]: no, the client is 127.0.0.1
        http_header x-partner [yes]: no, the header is missing
        query_string [version=2]: no, the query is missing
      rule `api` (priority 10): no
        path_pattern [/api/*]: no, the path is `/old/x`
      rule `old` (priority 20): takes the request
        path_pattern [/old/*]: yes
        -> redirect (301) to #{protocol}://#{host}:#{port}/new/#{path}?#{query}
    "#);
}

#[test]
fn sign_in_and_pool_answer_by_themselves() {
    assert_snapshot!(explained("callback", "https://app.example.com:8443/oauth2/idpresponse?code=x", &[], None), @r#"
    GET app.example.com:8443/oauth2/idpresponse on listener `public` (0.0.0.0:8443)
      answered by the proxy itself: this path is reserved
    "#);
    assert_snapshot!(explained("poolhost", "https://login.example.com:8443/api/x", &[], None), @r#"
    GET login.example.com:8443/api/x on listener `public` (0.0.0.0:8443)
      answered by the user pool `people`: this host is its issuer
    "#);
}

#[test]
fn what_is_refused_before_any_rule() {
    let raw = "https://app.example.com:8443/api/x?a=\"<";
    assert!(explained("raw", raw, &[], None).contains("rule `"), "as it is served");
    let fragment = explained("fragment", "https://app.example.com:8443/api/x?a=\"#b", &[], None);
    assert!(fragment.contains("refused with 400 `request.path_ambiguous`"), "{fragment}");
    assert_snapshot!(explained("dots", "https://app.example.com:8443/api/%2e%2e/x", &[], None), @r#"
    GET https://app.example.com:8443/api/%2e%2e/x on listener `public` (0.0.0.0:8443)
      refused with 400 `request.path_ambiguous`: the path has a dot segment
    "#);
    assert_snapshot!(explained("trace", "TRACE https://app.example.com:8443/", &[], None), @r#"
    TRACE https://app.example.com:8443/ on listener `public` (0.0.0.0:8443)
      refused with 405 `request.method_not_allowed`: the proxy does not forward this method
    "#);
    assert_snapshot!(explained("plain", "http://app.example.com/", &[], None), @r#"
    no listener uses `http`
    "#);
}

/// What serving refuses, or leaves to a rule, and an explanation of its own once told otherwise.
#[test]
fn it_says_what_serving_does() {
    let says = |name: &str, request: &str, headers: &[&str], expected: &str| {
        let text = explained(name, request, headers, None);
        assert!(text.contains(expected), "{request}: {text}");
    };
    says(
        "fragment",
        "https://app.example.com:8443/.well-known/a#frag",
        &[],
        "refused with 400 `request.path_ambiguous`",
    );
    says(
        "reserved",
        "https://app.example.com:8443/.well-known/vestibule/other",
        &[],
        "default actions: takes the request",
    );
    says("keys", "https://app.example.com:8443/.well-known/vestibule/jwks.json", &[], "answered by the proxy itself");
    says("slash", "https://app.example.com:8443/api/a%2Fb", &[], "refused with 400 `request.path_ambiguous`");
    says("parameter", "https://app.example.com:8443/oauth2/userinfo;x", &[], "default actions: takes the request");
    says(
        "length",
        "POST https://app.example.com:8443/x",
        &["content-length: 007"],
        "refused with 400 `request.malformed`",
    );
    says(
        "override",
        "https://app.example.com:8443/x",
        &["x-http-method: PUT"],
        "refused with 400 `request.method_override`",
    );
    says("literal", "https://[0:0::1]:8443/x", &[], "GET [::1]:8443/x on listener");
}

#[test]
fn a_plain_listener_receives_https_from_its_proxies() {
    let files = files("behind");
    let text = include_str!("../../../../../config/behind-a-proxy.yaml")
        .replace("keys/session", "session-key")
        .replace("keys/claims", "claims-key")
        .replace("${OIDC_CLIENT_SECRET}", "hunter2");
    let explained = |request: &str| {
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        told(config, &Probe::parse(request, &[], None).expect("a request"))
    };
    let over_https = explained("https://app.example.com/x");
    assert!(
        over_https.contains("default actions: takes the request") && !over_https.contains("refused"),
        "{over_https}"
    );
    let plain = explained("http://app.example.com:8080/x");
    assert!(plain.contains("refused with 403 `request.not_https`"), "{plain}");
}

#[test]
fn what_is_no_request_is_refused() {
    for request in ["", "/path", "GET /path", "GET app.example.com/", "G(T https://x/", "GET ftp://x/", "GET https://"]
    {
        assert!(Probe::parse(request, &[], None).is_err(), "{request}");
    }
    for header in ["x", ": y", "a b: c", "x: \u{7f}"] {
        assert!(Probe::parse("https://x/", &[header.to_owned()], None).is_err(), "{header}");
    }
}

/// What the default actions of the sound file decide about a user, after `keys` were added to the action that authenticates,
/// and with `gates` behind it.
#[track_caller]
fn decided(name: &str, (keys, gates): (&str, &str), claims: &str) -> String {
    let place = "        provider: corp\n      - type: forward\n";
    assert!(SOUND.contains(place));
    let text = SOUND.replace(place, &format!("        provider: corp\n{keys}{gates}      - type: forward\n"));
    let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}"));
    let probe = Probe::parse("https://app.example.com:8443/x", &[], None).expect("a request");
    let probe = probe.of_user(claims.as_bytes()).expect("claims");
    let text = told(config, &probe);
    let text = text.split_once("default actions: takes the request\n").expect("they take it").1;
    without_outcome(text).to_owned()
}

const GATES: &str = "      - type: authorize
        any:
          - { claim: realm_access.roles, contains: [admin, 7] }
          - not: { claim: groups, contains: [contractors] }
          - all: [{ claim: email, domain: [example.com] }, { claim: level, equals: [3] }]
      - { type: authorize, not: { claim: groups, contains: [banned] }, mode: report }
";

#[test]
fn each_gate_says_what_it_decides_about_a_user() {
    let claims = r#"{"iss": "https://other.test", "aud": "x", "sub": "ada", "email": "ada@example.com", "level": "3",
        "realm_access": {"roles": ["staff", "dev"]}, "groups": ["banned", "contractors"]}"#;
    assert_snapshot!(decided("user-refused", ("        allowed_groups: [banned]\n", GATES), claims), @r##"
      -> authenticate-oidc with `corp` (without a session: sign in), then authorize where `groups` contains `banned` (otherwise: 403), then authorize where `realm_access.roles` contains `admin` or 7 or not (`groups` contains `contractors`) or (`email` is a verified address at `example.com` and `level` is 3) (otherwise: 403), then authorize where not (`groups` contains `banned`) (otherwise: report only), then forward to `app`
    note: the claims are of the issuer `https://other.test`, the rule signs in at `https://login.example.com`
    the user `ada` with these claims:
      authorize: lets the user in
        `groups` contains `banned`: yes
      authorize: refuses with 403 `auth.not_allowed`
        one of: not known, `email_verified` is absent; because of `email`
          `realm_access.roles` contains `admin` or 7: no; it is ["staff","dev"]
          not: no
            `groups` contains `contractors`: yes
          all of: not known, `email_verified` is absent; because of `email`
            `email` is a verified address at `example.com`: not known, `email_verified` is absent; it is "ada@example.com"
            `level` is 3: not known, the claim is of another type; it is "3"
      authorize: lets the user in because of `mode: report` only
        not: no
          `groups` contains `banned`: yes
    "##);
    let claims =
        r#"{"sub": "ada", "email": "ada@example.com", "email_verified": true, "level": 3, "groups": ["contractors"]}"#;
    assert_snapshot!(decided("user-let-in", ("        allowed_groups: [contractors]\n", GATES), claims), @r##"
      -> authenticate-oidc with `corp` (without a session: sign in), then authorize where `groups` contains `contractors` (otherwise: 403), then authorize where `realm_access.roles` contains `admin` or 7 or not (`groups` contains `contractors`) or (`email` is a verified address at `example.com` and `level` is 3) (otherwise: 403), then authorize where not (`groups` contains `banned`) (otherwise: report only), then forward to `app`
    the user `ada` with these claims:
      authorize: lets the user in
        `groups` contains `contractors`: yes
      authorize: lets the user in
        one of: yes
          `realm_access.roles` contains `admin` or 7: not known, the claim is absent; there is no `realm_access`
          not: no
            `groups` contains `contractors`: yes
          all of: yes
            `email` is a verified address at `example.com`: yes
            `level` is 3: yes
      authorize: lets the user in
        not: yes
          `groups` contains `banned`: no; it is ["contractors"]
    "##);
}

#[test]
fn a_rule_that_asks_for_no_claims_says_so() {
    assert_snapshot!(decided("user-any", ("", ""), r#"{"sub": "ada"}"#), @r"
      -> authenticate-oidc with `corp` (without a session: sign in), then forward to `app`
    the user `ada` with these claims:
      nothing is required: everybody who is signed in is let in
    ");
    assert_snapshot!(decided("user-none", ("", GATES), r#"{"groups": []}"#), @r"
      -> authenticate-oidc with `corp` (without a session: sign in), then authorize where `realm_access.roles` contains `admin` or 7 or not (`groups` contains `contractors`) or (`email` is a verified address at `example.com` and `level` is 3) (otherwise: 403), then authorize where not (`groups` contains `banned`) (otherwise: report only), then forward to `app`
    no sign-in gives these claims: they have no `sub`
    ");
    let files = files("user-open");
    let text = SOUND.replace(
        "      - type: authenticate-oidc\n        provider: corp\n      - type: forward",
        "      - type: forward",
    );
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    let probe = Probe::parse("https://app.example.com:8443/x", &[], None).expect("a request");
    let open = told(config, &probe.of_user(br#"{"sub": "ada"}"#).expect("claims"));
    assert!(without_outcome(&open).ends_with("the rule identifies nobody, so the claims decide nothing\n"), "{open}");
}

#[test]
fn a_11_what_is_no_set_of_claims_is_refused() {
    let probe = Probe::parse("https://x/", &[], None).expect("a request");
    for (claims, expected) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("eyJhbGciOiJFUzI1NiJ9.e30.x\n", "looks like a JWT: decode it"),
        ("\"eyJhbGciOiJFUzI1NiJ9.e30.x\"", "looks like a JWT: decode it"),
        ("{\n  \"sub\": ada\n}", "not JSON (line 2, column 10)"),
        (r#"{"sub": "a"} {"sub": "b"}"#, "not JSON (line 1"),
        (r#"{"sub": "a", "sub": "b"}"#, "two members of an object have the same name"),
        (
            r#"{"sub": "a", "realm_access": {"roles": [], "roles": ["admin"]}}"#,
            "two members of an object have the same name",
        ),
    ] {
        let error = probe.clone().of_user(claims.as_bytes()).expect_err(claims).to_string();
        assert!(error.contains(expected), "{claims}: {error}");
    }
    let told = decided("user-sub", ("", GATES), r#"{"sub": 7}"#);
    assert!(told.contains("no sign-in gives these claims: `sub` must be text\n"), "{told}");
}

/// Each answer says why, so that the operator knows what to change: the provider, the file, or the claims.
#[test]
fn what_is_not_known_of_a_user_is_said_in_full() {
    let gates = "      - { type: authorize, all: [{ claim: a.b.c, equals: [x] }, { claim: groups, contains: [sre] }, { not: { claim: email, \
                 domain: [example.com] } }] }\n";
    let told = |name: &str, claims: &str| {
        let text = decided(name, ("", gates), claims);
        text.split_once("authorize: refuses")
            .expect("refused")
            .1
            .lines()
            .skip(1)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_snapshot!(told("why-absent", r#"{"sub": "ada", "groups": "sre,staff", "email": "ada@example.com"}"#), @r##"
    all of: not known, the claim is absent; because of `a.b.c`
    `a.b.c` is `x`: not known, the claim is absent; there is no `a`
    `groups` contains `sre`: no; it is "sre,staff"; it is one text; texts are not split at commas
    not: not known, `email_verified` is absent; because of `email`
    `email` is a verified address at `example.com`: not known, `email_verified` is absent; it is "ada@example.com"
    "##);
    assert_snapshot!(told("why-member", r#"{"sub": "ada", "a": {"b": {}}, "email": "ada@example.com", "email_verified": "false"}"#), @r##"
    all of: not known, the claim is absent; because of `a.b.c`
    `a.b.c` is `x`: not known, the claim is absent; `a.b` has no member `c`
    `groups` contains `sre`: not known, the claim is absent
    not: not known, `email_verified` is the text `false`; because of `email`
    `email` is a verified address at `example.com`: not known, `email_verified` is the text `false`; it is "ada@example.com"
    "##);
    assert_snapshot!(told("why-object", r#"{"sub": "ada", "a": "x", "groups": [], "email": "ada@example.com", "email_verified": false}"#), @r##"
    all of: not known, the claim is absent; because of `a.b.c`
    `a.b.c` is `x`: not known, the claim is absent; `a` is no object, so it has no members
    `groups` contains `sre`: no; it is []
    not: not known, `email_verified` is false; because of `email`
    `email` is a verified address at `example.com`: not known, `email_verified` is false; it is "ada@example.com"
    "##);
    assert_snapshot!(told("why-other", r#"{"sub": "ada", "a": {}, "groups": "sre", "email": "ada@example.com", "email_verified": 1}"#), @r##"
    all of: not known, the claim is absent; because of `a.b.c`
    `a.b.c` is `x`: not known, the claim is absent; `a` has no member `b`
    `groups` contains `sre`: yes
    not: not known, `email_verified` is neither true nor false; because of `email`
    `email` is a verified address at `example.com`: not known, `email_verified` is neither true nor false; it is "ada@example.com"
    "##);
}

#[test]
fn what_is_demanded_of_the_sign_in_is_explained_as_well() {
    let gates = "      - { type: authorize, max_age: 1h, acr: [phr, phrh] }\n";
    let decided = |claims| decided("user-demand", ("", gates), claims);
    let text = decided(r#"{"sub": "ada", "acr": ["phr"]}"#);
    let (_, told) = text.split_once("with these claims:\n").expect("they decide");
    assert_snapshot!(told, @r##"
    authorize: has the user sign in again: the ID token has no `acr` that is text
      `acr` is `phr` or `phrh`: not known, the claim is of another type; it is ["phr"]
      signed in within the last 1h (plus 1m for clocks): not known, the claim is absent
    "##);
    assert!(text.contains("(otherwise: sign in again), then forward"), "{text}");
    let text = decided(r#"{"sub": "ada", "acr": "phr", "auth_time": 1}"#);
    assert!(text.contains("the `auth_time` of the ID token is older"), "{text}");
    assert!(text.contains("`acr` is `phr` or `phrh`: yes\n"), "{text}");
    assert!(text.contains("signed in within the last 1h (plus 1m for clocks): no; it is 1\n"), "{text}");
    let text = decided(r#"{"sub": "ada", "acr": "phr", "auth_time": 99999999999}"#);
    assert!(text.contains("has the user sign in again: the `auth_time` of the ID token is in the future\n"), "{text}");
    assert!(text.contains("not known, the time is in the future; it is 99999999999\n"), "{text}");
}

#[test]
fn regular_expressions_are_shown_with_what_they_were_compared_with() {
    let rules = "
      - name: users
        priority: 5
        conditions:
          - host_header: { regex_values: [\"^app[0-9]?[.]example[.]com$\"] }
          - path_pattern: { regex_values: [\"^/users/[0-9]+$\"] }
          - http_header: { name: x-version, regex_values: [\"^beta.*$\"] }
        actions: [{ type: fixed-response, status_code: 200 }]
";
    let files = files("regex");
    let config = load_in(&files, &SOUND.replace("    rules:\n", &format!("    rules:{rules}")));
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    let headers = ["x-version: alpha".to_owned()];
    let probe = Probe::parse("https://app1.example.com:8443/users/42x", &headers, None).unwrap();
    assert_snapshot!(without_outcome(&told(config, &probe)), @r"
    GET app1.example.com:8443/users/42x on listener `public` (0.0.0.0:8443)
      rule `users` (priority 5): no
        host_header [regex ^app[0-9]?[.]example[.]com$]: yes
        path_pattern [regex ^/users/[0-9]+$]: no, the path is `/users/42x`
        http_header x-version [regex ^beta.*$]: no, the header is `alpha`
      rule `api` (priority 10): no
        path_pattern [/api/*]: no, the path is `/users/42x`
      default actions: takes the request
        -> authenticate-oidc with `corp` (without a session: sign in), then forward to `app`
    ");
}

const SEVERAL: &str = "
      - name: several
        priority: 5
        conditions: [{ path_pattern: [\"/v1/*\"] }]
        transforms:
          host_header_rewrite: { regex: \"^(.+)[.]example[.]com$\", replace: \"$1.internal\" }
          url_rewrite: { regex: \"^/v1/x(.*)$\", replace: \"$1\" }
        actions:
          - type: forward
            target_groups: [{ target_group: app, weight: 9 }, { target_group: green }]
            stickiness: { duration: 1h }
";

#[test]
fn transforms_and_several_groups_are_shown() {
    let explained = |name: &str, url: &str| {
        let files = files(name);
        let text = SOUND.replace("    rules:\n", &format!("    rules:{SEVERAL}"));
        let text = text.replace("\ntarget_groups:\n", "\ntarget_groups:\n  green: { targets: [\"127.0.0.1:3001\"] }\n");
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        told(config, &Probe::parse(url, &[], None).unwrap())
    };
    assert_snapshot!(without_outcome(&explained("transformed", "https://app.example.com:8443/v1/x/y?a=b")), @r"
    GET app.example.com:8443/v1/x/y on listener `public` (0.0.0.0:8443)
      rule `several` (priority 5): takes the request
        path_pattern [/v1/*]: yes
        -> forward to `app` (weight 9) or `green` (weight 1), a browser stays at its group
        transforms: the target receives the host `app.internal` and `/y?a=b`
    ");
    assert_snapshot!(without_outcome(&explained("unchanged", "https://other.test:8443/v1/y")), @r"
    GET other.test:8443/v1/y on listener `public` (0.0.0.0:8443)
      rule `several` (priority 5): takes the request
        path_pattern [/v1/*]: yes
        -> forward to `app` (weight 9) or `green` (weight 1), a browser stays at its group
        transforms: no expression matches
    ");
    assert_snapshot!(explained("failed", "https://app.example.com:8443/v1/xy"), @r"
    GET app.example.com:8443/v1/xy on listener `public` (0.0.0.0:8443)
      rule `several` (priority 5): takes the request
        path_pattern [/v1/*]: yes
        -> forward to `app` (weight 9) or `green` (weight 1), a browser stays at its group
      outcome: refused with 500 `rule.transform_failed`: the result of `url_rewrite` cannot be sent: the request target is not a path
    ");
}

#[test]
fn files_are_looked_for_where_they_are_served_from() {
    let rule = "      - { name: docs, priority: 5, conditions: [{ path_pattern: [\"/docs/*\"] }], actions: [{ type: static, \
                directory: site, path_prefix: /docs, dotfiles: true }] }\n";
    let files = files("static");
    let text = SOUND.replace("    rules:\n", &format!("    rules:\n{rule}"));
    let asked = |request: &str| {
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        told(config, &Probe::parse(request, &[], None).unwrap()).replace(&files.display().to_string(), "DIR")
    };
    let page = asked("GET https://app.example.com:8443/docs/");
    let chain = "-> static files of DIR/site (without `/docs` of the path; also names that begin with a dot)\n";
    assert!(page.contains(chain) && page.contains("outcome: answered with 200"), "{page}");
    let gone = asked("GET https://app.example.com:8443/docs/none.html");
    assert!(gone.contains("outcome: refused with 404 `request.not_found`"), "{gone}");
    let posted = asked("POST https://app.example.com:8443/docs/");
    assert!(posted.contains("outcome: refused with 405 `static.method_not_allowed`"), "{posted}");
}

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use proptest::prelude::*;

use super::condition::Error;
use super::pattern::{Case, Pattern};
use super::*;
use crate::message::uri::{CanonicalRequest, Scheme};

#[derive(Debug)]
struct Sample {
    request: CanonicalRequest,
    headers: HeaderMap,
}

fn sample(method: &str, host: &str, target: &str, fields: &[(&str, &[u8])]) -> Sample {
    try_sample(method, host, target, fields).expect("a canonical request")
}

/// `None` where a request of this kind is refused before any rule is asked.
fn try_sample(method: &str, host: &str, target: &str, fields: &[(&str, &[u8])]) -> Option<Sample> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host).expect("a host"));
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let uri: Uri = target.parse().expect("a target");
    let request = CanonicalRequest::parse(Scheme::Https, &method, &uri, &headers).ok()?;
    Some(Sample { request, headers })
}

#[track_caller]
fn check(condition: Result<Condition, Error>, sample: &Sample, expected: bool) {
    let condition = condition.expect("a condition");
    let facts = Facts { request: &sample.request, headers: &sample.headers, client: [192, 0, 2, 66].into() };
    assert_eq!(condition.holds(&facts), expected, "{condition} on {}", sample.request);
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn host(pattern: &str, host: &str, expected: bool) {
    check(Condition::host_header(&strings(&[pattern])), &sample("GET", host, "/", &[]), expected);
}

fn path(pattern: &str, target: &str, expected: bool) {
    check(Condition::path_pattern(&strings(&[pattern])), &sample("GET", "a.test", target, &[]), expected);
}

#[test]
fn p_13_host_header_ignores_case_port_and_trailing_dot() {
    for name in ["app.test", "APP.TEST", "app.test.", "app.test:8443"] {
        host("App.Test", name, true);
    }
    host("app.test", "app.test.evil", false);
    host("*.example.com", "test.example.com", true);
    host("*.example.com", "a.b.example.com", true);
    host("*.example.com", "example.com", false);
    host("*.example.com", "badexample.com", false);
    host("a?.test", "ab.test", true);
    host("a?.test", "a.test", false);
}

#[test]
fn path_pattern_minds_case_and_sees_no_query() {
    path("/img/*", "/img/", true);
    path("/img/*", "/img", false);
    path("/img/*", "/IMG/a", false);
    path("/img/*/pics", "/img/a/b/pics", true);
    path("/a", "/a?x=/b", true);
    path("/my docs/*", "/my%20docs/x", true);
    path("/admin/*", "/%61dmin/x", true);
    path("/public/*", "/admin/secret?x=/public/", false);
}

#[test]
fn p_01_and_p_02_rules_never_see_the_query() {
    path("*/public/*", "/admin/secret?x=/public/", false);
    path("*.css", "/api/private?path=/a.css", false);
}

#[test]
fn p_12_wildcards_in_a_request_are_letters() {
    path("/admin/list", "/admin/*", false);
    path("/admin/x", "/admin/?", false);
    path("/admin/*", "/admin/*", true);
    path(r"/admin/\*", "/admin/*", true);
    path(r"/admin/\*", "/admin/x", false);
    path(r"/admin/\?", "/admin/%3f", true);
}

#[test]
fn method_is_exact() {
    let method = |wanted: &str, sent: &str, expected| {
        let sample = sample(sent, "a.test", "/", &[]);
        check(Condition::http_request_method(&strings(&[wanted])), &sample, expected);
    };
    method("GET", "GET", true);
    method("GET", "GETS", false);
    method("GET", "HEAD", false);
}

#[test]
fn source_ip_takes_networks() {
    let net = |network: &str| Condition::source_ip(&[network.parse().expect("a network")]);
    let sample = sample("GET", "a.test", "/", &[("x-forwarded-for", b"10.0.0.1")]);
    check(net("192.0.2.0/24"), &sample, true);
    check(net("192.0.2.66/32"), &sample, true);
    check(net("10.0.0.0/8"), &sample, false);
}

#[test]
fn http_header_ignores_case_and_looks_at_every_field() {
    let fields: &[(&str, &[u8])] = &[("x-kind", b"plain"), ("x-kind", b"Beta-7")];
    let with = |pattern: &str| Condition::http_header("X-Kind", &strings(&[pattern]));
    check(with("beta-*"), &sample("GET", "a.test", "/", fields), true);
    check(with("gamma"), &sample("GET", "a.test", "/", fields), false);
}

#[test]
fn h_11_bytes_that_are_not_text_match_no_pattern() {
    let fields: &[(&str, &[u8])] = &[("x-role", b"adm\xe9n")];
    check(Condition::http_header("x-role", &strings(&["*"])), &sample("GET", "a.test", "/", fields), false);
}

#[test]
fn query_string_pairs_ignore_case_and_keys_are_optional() {
    let query = |key: Option<&str>, value: &str, target: &str, expected| {
        let pairs = [(key.map(str::to_owned), value.to_owned())];
        check(Condition::query_string(&pairs), &sample("GET", "a.test", target, &[]), expected);
    };
    query(Some("version"), "v1", "/?Version=V1", true);
    query(Some("version"), "v1", "/?x=v1", false);
    query(None, "v1", "/?x=v1", true);
    query(None, r"\*", "/?x=*", true);
    query(None, r"\*", "/?x=y", false);
    query(Some("a"), "b c", "/?a=b%20c", true);
    query(Some("a"), "b", "/", false);
}

#[test]
fn values_that_could_never_match_are_refused() {
    let path = |text: &str| Condition::path_pattern(&strings(&[text])).expect_err(text);
    assert!(matches!(path("admin/*"), Error::Path(_)));
    assert!(matches!(path("/a//b"), Error::NeverCanonical(..)));
    assert!(matches!(path("/a/../b"), Error::NeverCanonical(..)));
    assert!(matches!(path("/my%20docs/*"), Error::NeverCanonical(..)));
    for text in ["/a;x=1", "/a;*", "/a\n", r"/a\b", r"/a\\b", r"/a\\*", r"/a\"] {
        assert!(matches!(path(text), Error::NeverCanonical(..)), "{text}");
    }
    assert!(matches!(path(&format!("/{}", "a".repeat(128))), Error::TooLong(..)));
    for text in ["https://a.test", "a.test:443", "a.test/x", ""] {
        assert!(matches!(Condition::host_header(&strings(&[text])), Err(Error::Host(_))), "{text}");
    }
    assert!(matches!(Condition::http_header("Host", &strings(&["a"])), Err(Error::HostHeader)));
    assert!(matches!(Condition::http_request_method(&strings(&["get"])), Err(Error::Method(_))));
    assert!(matches!(Condition::http_request_method(&[]), Err(Error::Empty)));
}

/// ALB §7.2: up to 128 characters, 40 for methods and names of headers. A host needs no dot.
#[test]
fn alb_7_2_values_are_as_long_as_the_load_balancer_takes_them() {
    type Make = fn(&str) -> Result<Condition, Error>;
    let conditions: [(&str, usize, &str, Make); 9] = [
        ("host", 128, "", |text| Condition::host_header(&strings(&[text]))),
        ("host as an expression", 128, "", |text| Condition::host_regex(&strings(&[text]))),
        ("path", 128, "/", |text| Condition::path_pattern(&strings(&[text]))),
        ("path as an expression", 128, "/", |text| Condition::path_regex(&strings(&[text]))),
        ("method", 40, "", |text| Condition::http_request_method(&strings(&[&text.to_uppercase()]))),
        ("name of a header", 40, "", |text| Condition::http_header(text, &strings(&["a"]))),
        ("value of a header", 128, "", |text| Condition::http_header("x", &strings(&[text]))),
        ("value of a parameter", 128, "", |text| Condition::query_string(&[(None, text.to_owned())])),
        ("name of a parameter", 128, "", |text| Condition::query_string(&[(Some(text.to_owned()), "a".to_owned())])),
    ];
    for (what, most, begin, make) in conditions {
        let of = |length: usize| format!("{begin}{}", "a".repeat(length - begin.len()));
        assert!(make(&of(most)).is_ok(), "{what}: {:?}", make(&of(most)));
        assert!(make(&of(most + 1)).is_err(), "{what}");
    }
    host("localhost", "localhost:8080", true);
}

#[test]
fn regular_expressions_are_compared_as_patterns_are() {
    let hosts = |value: &str| Condition::host_regex(&strings(&[value]));
    for name in ["app1.test", "APP2.test:8443", "app3.TEST."] {
        check(hosts(r"App\d\.Test"), &sample("GET", name, "/", &[]), true);
    }
    for name in ["app1.test.evil", "xapp1.test", "app10.test", "app1atest"] {
        check(hosts(r"App\d\.Test"), &sample("GET", name, "/", &[]), false);
    }
    check(hosts(r"\[2001:db8::.*\]"), &sample("GET", "[2001:DB8::1]:8443", "/", &[]), true);
    let paths = |value: &str| Condition::path_regex(&strings(&[value]));
    for (value, target, expected) in [
        ("/users/[0-9]+", "/users/42?x=/admin", true),
        ("/users/[0-9]+", "/%75sers//42", true),
        ("/users/[0-9]+", "/users/42/admin", false),
        ("/users/[0-9]+", "/users/42;x=1", true),
        ("/users/[0-9]+", "/Users/42", false),
        ("/my docs/.*", "/my%20docs/x", true),
        (".*/public/.*", "/admin/secret?x=/public/", false),
    ] {
        check(paths(value), &sample("GET", "a.test", target, &[]), expected);
    }
    let fields = |value: &str| Condition::http_header_regex("X-Version", &strings(&[value]));
    let sent = sample("GET", "a.test", "/", &[("x-version", b"1"), ("x-version", b"Beta-2")]);
    check(fields("beta-[0-9]"), &sent, true);
    check(fields("beta"), &sent, false);
    // H-11: a value that is not text matches nothing, also not `.*`.
    check(fields(".*"), &sample("GET", "a.test", "/", &[("x-version", b"\xe9")]), false);
}

#[test]
fn expressions_that_can_never_match_are_refused() {
    let path = |text: &str| Condition::path_regex(&strings(&[text])).expect_err(text);
    for text in ["api/.*", "", "[^/].*", "(?:api|www)/.*"] {
        assert!(matches!(path(text), Error::Path(_)), "{text}");
    }
    for text in ["/a//b", "/a;x", "/a%20b", r"/a/\.\./b", "(/ok|/a//b)", "/a(%2f)?", r"/a\\b"] {
        assert!(matches!(path(text), Error::NeverCanonical(..)), "{text}");
    }
    assert!(matches!(path(&format!("/{}", "a".repeat(128))), Error::TooLong(..)));
    assert!(matches!(path("/("), Error::Regex(_)));
    for text in ["https://.*", "a.test:443", r".*\.test/x", r"app\.test\.", "a b"] {
        assert!(matches!(Condition::host_regex(&strings(&[text])), Err(Error::HostRegex(_))), "{text}");
    }
    assert!(matches!(Condition::http_header_regex("Host", &strings(&["a"])), Err(Error::HostHeader)));
}

#[test]
fn the_first_rule_by_priority_wins() {
    let rule = |name: &str, priority, patterns: &[&str]| Rule {
        name: name.into(),
        priority,
        conditions: vec![Condition::path_pattern(&strings(patterns)).expect("a pattern")],
        payload: name.to_owned(),
    };
    let rules = RuleSet::new(
        vec![rule("wide", 20, &["/*"]), rule("narrow", 10, &["/a/*", "/b/*"]), rule("never", 30, &["/a/*"])],
        "default".to_owned(),
    );
    let found = |target: &str| {
        let sample = sample("GET", "a.test", target, &[]);
        let facts = Facts { request: &sample.request, headers: &sample.headers, client: [127, 0, 0, 1].into() };
        rules.find(&facts).payload.clone()
    };
    assert_eq!(found("/a/x"), "narrow");
    assert_eq!(found("/b/x"), "narrow");
    assert_eq!(found("/c"), "wide");
}

proptest! {
    /// The matcher agrees with the plainest definition of wildcards.
    #[test]
    fn patterns_match_what_their_definition_says(pattern in "[aAbé*?]{0,8}", text in "[aAbé]{0,10}") {
        fn defined(pattern: &[char], text: &[char]) -> bool {
            match (pattern.first(), text.first()) {
                (None, None) => true,
                (Some('*'), _) => defined(&pattern[1..], text) || (!text.is_empty() && defined(pattern, &text[1..])),
                (Some('?'), Some(_)) => defined(&pattern[1..], &text[1..]),
                (Some(p), Some(t)) if p == t => defined(&pattern[1..], &text[1..]),
                _ => false,
            }
        }
        let characters = |text: &str| text.chars().collect::<Vec<_>>();
        let matched = Pattern::new(&pattern, Case::Sensitive).matches(&text);
        prop_assert_eq!(matched, defined(&characters(&pattern), &characters(&text)));
        let matched = Pattern::new(&pattern, Case::Insensitive).matches(&text);
        let folded = |text: &str| characters(&text.to_ascii_lowercase());
        prop_assert_eq!(matched, defined(&folded(&pattern), &folded(&text)));
    }

    /// The index leaves no rule out: what it finds is what asking every rule in order finds.
    #[test]
    fn the_first_match_is_that_of_a_scan(
        rules in prop::collection::vec((1_u32..6, prop::collection::vec(any_condition(), 0..4)), 0..24),
        requests in prop::collection::vec(any_request(), 1..16),
    ) {
        let rule = |(at, (priority, conditions))| Rule { name: "".into(), priority, conditions, payload: Some(at) };
        let mut rules: Vec<Rule<Option<usize>>> = rules.into_iter().enumerate().map(rule).collect();
        let indexed = RuleSet::new(rules.clone(), None);
        rules.sort_by_key(|rule| rule.priority);
        for (sample, client) in &requests {
            let facts = Facts { request: &sample.request, headers: &sample.headers, client: (*client).into() };
            let holds = |rule: &&Rule<_>| rule.conditions.iter().all(|condition| condition.holds(&facts));
            let scanned = rules.iter().find(holds).and_then(|rule| rule.payload);
            prop_assert_eq!(indexed.find(&facts).payload, scanned, "{} from {:?}", sample.request, sample.headers);
        }
    }
}

/// Few letters, so that patterns and requests often meet. One condition in three has nothing that an index could use.
fn any_condition() -> impl Strategy<Value = Condition> {
    let some = |pattern: &'static str| prop::collection::vec(pattern, 1..4);
    let path = "(/|\\*|\\?)[abAé*?]{0,3}((/|\\\\\\*)[ab*]{1,2}){0,2}/?";
    let network = prop::sample::select(vec!["192.0.2.0/24", "192.0.2.1/32", "10.0.0.0/8", "0.0.0.0/0", "::/0"]);
    let network = network.prop_map(|network| network.parse().expect("a network"));
    let condition = prop_oneof![
        4 => some("[aAb*?]{1,3}(\\.[aAb*?]{1,2}){0,2}\\.?").prop_map(|values| Condition::host_header(&values)),
        4 => some(path).prop_map(|values| Condition::path_pattern(&values)),
        2 => some("([aA]|b|.|[ab]+){1,3}(\\.([aAb]|.*)){0,2}").prop_map(|values| Condition::host_regex(&values)),
        2 => some("\\^?/?([abAé]|\\.|\\.\\*|[ab]\\+){0,3}(/|/[ab]|\\.\\*){0,2}\\$?")
            .prop_map(|values| Condition::path_regex(&values)),
        1 => ("x-[abA]", some("(a|A|b|[ab]\\*|\\.){0,3}"))
            .prop_map(|(name, values)| Condition::http_header_regex(&name, &values)),
        1 => some("GET|POST|PUT").prop_map(|values| Condition::http_request_method(&values)),
        1 => prop::collection::vec(network, 1..3).prop_map(|values| Condition::source_ip(&values)),
        1 => ("x-[abA]", some("[aAb*?]{0,2}")).prop_map(|(name, values)| Condition::http_header(&name, &values)),
        1 => prop::collection::vec((prop::option::of("[aAb*?]{0,2}"), "[aAb*?]{0,2}"), 1..3)
            .prop_map(|values| Condition::query_string(&values)),
    ];
    condition.prop_filter_map("not a condition", Result::ok)
}

fn any_request() -> impl Strategy<Value = (Sample, [u8; 4])> {
    let target = "/[abA*?é ]{0,3}(/[ab*]{0,2}){0,2}/?(;x)?(\\?[aAb]{0,2}(=[aAb]{0,2})?(&[ab]=[ab])?)?";
    let target = target.prop_map(|target| target.replace('é', "%C3%A9").replace(' ', "%61"));
    let fields = prop::collection::vec(("x-[ab]", "[aAb]{0,2}"), 0..3);
    let client = prop::sample::select(vec![[192, 0, 2, 1], [192, 0, 2, 2], [10, 0, 0, 1]]);
    let request = ("GET|POST", "[abA]{1,3}(\\.[abA]{1,2}){0,2}\\.?(:8443)?", target, fields, client);
    request.prop_filter_map("refused before rules are asked", |(method, host, target, fields, client)| {
        let fields: Vec<(&str, &[u8])> = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        Some((try_sample(&method, &host, &target, &fields)?, client))
    })
}

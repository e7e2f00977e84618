use proptest::prelude::*;
use serde_json::json;

use super::*;

fn identity(claims: &Value) -> Identity {
    let claims = claims.as_object().expect("an object").clone();
    Identity::assertion("https://idp.test".into(), "alice".into(), claims, None)
}

fn claim(path: &str, test: Test) -> Requirement {
    Requirement::Claim(ClaimTest { path: path.split('.').map(str::to_owned).collect(), test })
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn contains(path: &str, values: &[&str]) -> Requirement {
    claim(path, Test::Contains(texts(values)))
}

fn not(part: Requirement) -> Requirement {
    Requirement::Not(Box::new(part))
}

#[track_caller]
fn check(requirement: &Requirement, claims: Value, expected: Answer) {
    assert_eq!(requirement.of(&identity(&claims)), expected, "{requirement} with {claims}");
}

#[test]
fn a_02_a_list_contains_what_is_exactly_one_of_its_elements() {
    let requirement = contains("groups", &["platform", "sre"]);
    check(&requirement, json!({"groups": ["staff", "sre"]}), Answer::Yes);
    check(&requirement, json!({"groups": "sre"}), Answer::Yes);
    check(&requirement, json!({"groups": ["sre", 7]}), Answer::Yes);
    for groups in
        [json!([]), json!(["SRE"]), json!(["sre "]), json!(["platform,sre"]), json!("platform,sre"), json!("")]
    {
        check(&requirement, json!({ "groups": groups }), Answer::No);
    }
    for groups in [json!(null), json!(true), json!({"sre": true}), json!(["staff", 7]), json!([["sre"]]), json!([null])]
    {
        check(&requirement, json!({ "groups": groups }), Answer::Unknown);
    }
    check(&requirement, json!({"Groups": ["sre"]}), Answer::Unknown);
}

#[test]
fn members_of_objects_are_found_by_path_only() {
    let requirement = contains("realm_access.roles", &["admin"]);
    check(&requirement, json!({"realm_access": {"roles": ["admin"]}}), Answer::Yes);
    check(&requirement, json!({"realm_access": {"roles": []}}), Answer::No);
    for claims in [
        json!({"realm_access.roles": ["admin"]}),
        json!({"realm_access": ["roles", "admin"]}),
        json!({"realm_access": "admin"}),
    ] {
        check(&requirement, claims, Answer::Unknown);
    }
}

#[test]
fn a_01_a_text_is_never_a_number_or_a_truth_value() {
    let requirement = claim("department", Test::Equals(texts(&["7", "true", "null"])));
    check(&requirement, json!({"department": "7"}), Answer::Yes);
    check(&requirement, json!({"department": "8"}), Answer::No);
    for value in [json!(7), json!(true), json!(null), json!(["7"]), json!({"7": "7"})] {
        check(&requirement, json!({ "department": value }), Answer::Unknown);
    }
}

#[test]
fn a_04_the_domain_of_an_address_counts_only_where_the_address_is_verified() {
    let requirement = claim("email", Test::Domain(texts(&["example.com"])));
    for verified in [json!(true), json!("true")] {
        check(&requirement, json!({"email": "ada@Example.COM", "email_verified": verified}), Answer::Yes);
        check(&requirement, json!({"email": "ada@other.test", "email_verified": verified}), Answer::No);
    }
    for verified in [json!(false), json!("True"), json!(1), json!(null), json!(["true"])] {
        check(&requirement, json!({"email": "ada@example.com", "email_verified": verified}), Answer::Unknown);
    }
    check(&requirement, json!({"email": "ada@example.com"}), Answer::Unknown);
    for address in [
        "ada@example.com.",
        "ada@sub.example.com",
        "ada@example.com.evil.test",
        "ada@evilexample.com",
        "example.com",
        "@example.com",
        "ada@evil.test@example.com",
        "\"ada@evil.test\"@example.com",
        "ada@example.com@evil.test",
        "ada@examp\u{217c}e.com",
        "ada@ex\u{430}mple.com",
        "ada@example.com ",
        "ada@example.com\n",
        "ada@example.com\0",
        "ada@example\u{3002}com",
        "ada@",
    ] {
        let answer = requirement.of(&identity(&json!({"email": address, "email_verified": true})));
        assert_ne!(answer, Answer::Yes, "{address:?}");
    }
}

#[test]
fn a_03_an_address_that_is_not_verified_is_nobodys() {
    let requirement = claim("email", Test::Equals(texts(&["ceo@example.com"])));
    check(&requirement, json!({"email": "ceo@example.com", "email_verified": true}), Answer::Yes);
    check(&requirement, json!({"email": "ceo@example.com"}), Answer::Unknown);
    check(&contains("email", &["ceo@example.com"]), json!({"email": ["ceo@example.com"]}), Answer::Unknown);
}

#[test]
fn a_05_subject_and_issuer_are_those_that_were_verified() {
    let is = |path: &str, value: &str| claim(path, Test::Equals(texts(&[value])));
    check(&is("sub", "alice"), json!({}), Answer::Yes);
    check(&is("iss", "https://idp.test"), json!({}), Answer::Yes);
    check(&is("sub", "root"), json!({"sub": "root"}), Answer::No);
}

#[test]
fn a_01_not_lets_nobody_in_of_whom_a_claim_is_not_known() {
    let requirement = not(contains("groups", &["contractors"]));
    check(&requirement, json!({"groups": ["staff"]}), Answer::Yes);
    check(&requirement, json!({"groups": ["contractors"]}), Answer::No);
    for claims in [json!({}), json!({"groups": null}), json!({"groups": 7}), json!({"groups": ["staff", {}]})] {
        check(&requirement, claims, Answer::Unknown);
    }
    // Also where another part below `not` is known.
    let both = not(Requirement::All(vec![contains("groups", &["contractors"]), contains("roles", &["x"])]));
    check(&both, json!({"groups": ["staff"]}), Answer::Unknown);
    check(&both, json!({"groups": ["staff"], "roles": ["x"]}), Answer::Yes);
    check(&not(not(requirement)), json!({}), Answer::Unknown);
}

#[test]
fn no_parts_hold_for_nobody() {
    for none in [Requirement::Any(Vec::new()), Requirement::All(Vec::new())] {
        check(&none, json!({}), Answer::No);
    }
}

#[test]
fn a_requirement_reads_as_it_was_written() {
    let requirement = Requirement::Any(vec![
        contains("groups", &["platform", "sre"]),
        Requirement::All(vec![claim("email", Test::Domain(texts(&["example.com"]))), not(contains("groups", &["x"]))]),
    ]);
    assert_eq!(
        requirement.to_string(),
        "`groups` contains `platform` or `sre` or (`email` is a verified address at `example.com` and not (`groups` contains `x`))"
    );
}

/// Some values, of which some are the ones asked for.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        Just(json!(1)),
        "[ab]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let values = || proptest::collection::vec("[ab]{1,2}", 1..3);
    let test = prop_oneof![
        values().prop_map(Test::Contains),
        values().prop_map(Test::Equals),
        values().prop_map(Test::Domain)
    ];
    let leaf = (proptest::collection::vec("[abc]", 1..3), test)
        .prop_map(|(path, test)| Requirement::Claim(ClaimTest { path, test }));
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Requirement::Any),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Requirement::All),
            inner.prop_map(|part| Requirement::Not(Box::new(part))),
        ]
    })
}

proptest! {
    /// Whatever is asked for: a user without any claim is let in by nothing.
    #[test]
    fn nobody_is_let_in_without_claims(requirement in requirement()) {
        prop_assert_ne!(requirement.of(&identity(&json!({}))), Answer::Yes);
    }

    /// What `not` makes a yes, is a no without it, and the other way round.
    #[test]
    fn not_turns_yes_and_no_only(requirement in requirement(), a in value(), b in value()) {
        let user = identity(&json!({"a": a, "b": b}));
        let (plain, turned) = (requirement.of(&user), not(requirement.clone()).of(&user));
        prop_assert!(matches!((plain, turned), (Answer::Yes, Answer::No) | (Answer::No, Answer::Yes) | (Answer::Unknown, Answer::Unknown)));
    }
}

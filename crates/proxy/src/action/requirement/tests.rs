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

fn scalars(values: &[&str]) -> Vec<Scalar> {
    values.iter().map(|&value| Scalar::Text(value.to_owned())).collect()
}

const ABSENT: Answer = Answer::Unknown(Unknown::Absent);
const TYPE: Answer = Answer::Unknown(Unknown::Type);
const NOT_VERIFIED: Answer = Answer::Unknown(Unknown::NotVerified(Unverified::Absent));

fn contains(path: &str, values: &[&str]) -> Requirement {
    claim(path, Test::Contains(scalars(values)))
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
        check(&requirement, json!({ "groups": groups }), TYPE);
    }
    check(&requirement, json!({"Groups": ["sre"]}), ABSENT);
}

#[test]
fn a_02_one_of_very_many_groups_is_found_and_none_that_only_looks_like_it() {
    let many = |last: &str| {
        let groups: Vec<_> = (0..5000).map(|number| format!("group-{number}")).chain([last.to_owned()]).collect();
        json!({ "groups": groups })
    };
    let requirement = contains("groups", &["sre"]);
    check(&requirement, many("sre"), Answer::Yes);
    for other in ["SRE", " sre", "sre ", "sre\n", "sr\u{435}", "sre,staff", "/sre", "sre\0"] {
        check(&requirement, many(other), Answer::No);
        check(&not(requirement.clone()), many(other), Answer::Yes);
    }
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
        check(&requirement, claims, ABSENT);
    }
}

#[test]
fn a_01_a_text_is_never_a_number_or_a_truth_value() {
    let requirement = claim("department", Test::Equals(scalars(&["7", "true", "null"])));
    check(&requirement, json!({"department": "7"}), Answer::Yes);
    check(&requirement, json!({"department": "8"}), Answer::No);
    for value in [json!(7), json!(true), json!(null), json!(["7"]), json!({"7": "7"})] {
        check(&requirement, json!({ "department": value }), TYPE);
    }
}

#[test]
fn a_08_numbers_and_truth_values_are_compared_exactly_with_their_type() {
    let one = claim("level", Test::Equals(vec![Scalar::Integer(1)]));
    check(&one, json!({"level": 1}), Answer::Yes);
    // 2^64 - 1 is a whole number, too, and what is larger is none to a JSON reader.
    for other in [json!(2), json!(0), json!(-1), json!(u64::MAX)] {
        check(&one, json!({ "level": other }), Answer::No);
    }
    for other in ["\"1\"", "1.0", "1e0", "1.5", "18446744073709551617", "true", "null", "[1]", "{\"1\": 1}"] {
        let other: Value = serde_json::from_str(other).expect("it is JSON");
        check(&one, json!({ "level": other }), TYPE);
    }
    let zero = claim("level", Test::Equals(vec![Scalar::Integer(0)]));
    for other in ["false", "\"\"", "\"0\"", "-0", "-0.0", "null", "[]", "{}"] {
        let other: Value = serde_json::from_str(other).expect("it is JSON");
        check(&zero, json!({ "level": other }), TYPE);
    }
    let truth = claim("mfa", Test::Equals(vec![Scalar::Truth(true)]));
    check(&truth, json!({"mfa": true}), Answer::Yes);
    check(&truth, json!({"mfa": false}), Answer::No);
    for other in [json!("true"), json!(1), json!(null), json!([true]), json!({"mfa": true})] {
        check(&truth, json!({ "mfa": other }), TYPE);
    }
    // Beyond 2^53 two neighbours are one floating-point number.
    let large = claim("id", Test::Equals(vec![Scalar::Integer(9_007_199_254_740_993)]));
    check(&large, json!({"id": 9_007_199_254_740_993_i64}), Answer::Yes);
    check(&large, json!({"id": 9_007_199_254_740_992_i64}), Answer::No);
    check(&large, json!({"id": 9_007_199_254_740_993_f64}), TYPE);
}

#[test]
fn a_08_values_of_several_types_can_be_wanted_at_once() {
    let wanted = vec![Scalar::Integer(7), Scalar::Text("seven".to_owned()), Scalar::Truth(true)];
    let (equals, contains) = (claim("a", Test::Equals(wanted.clone())), claim("a", Test::Contains(wanted)));
    for requirement in [&equals, &contains] {
        for (value, answer) in [
            (json!(7), Answer::Yes),
            (json!("seven"), Answer::Yes),
            (json!(true), Answer::Yes),
            (json!("7"), Answer::No),
            (json!(8), Answer::No),
            (json!(false), Answer::No),
            (json!(7.0), TYPE),
            (json!(null), TYPE),
        ] {
            check(requirement, json!({ "a": value }), answer);
        }
    }
    check(&contains, json!({"a": [null, {}, 7]}), Answer::Yes);
    check(&contains, json!({"a": ["7", 8, false]}), Answer::No);
    check(&contains, json!({"a": ["7", 7.0]}), TYPE);
    check(&contains, json!({"a": [[7]]}), TYPE);
    check(&equals, json!({"a": [7]}), TYPE);
}

#[test]
fn a_09_an_address_is_compared_whole_and_without_the_case_of_ascii_letters() {
    let requirement = claim("email", Test::Address(texts(&["ada@example.com", "ken@example.com"])));
    let verified = |address: &str| json!({"email": address, "email_verified": true});
    for address in ["ada@example.com", "Ada@Example.COM", "KEN@example.com"] {
        check(&requirement, verified(address), Answer::Yes);
        check(&requirement, json!({ "email": address }), NOT_VERIFIED);
    }
    for address in [
        "eva@example.com",
        "ada@example.org",
        "ada@example.com.evil.test",
        "ada+x@example.com",
        " ada@example.com",
        // A Cyrillic letter, and the sign for Kelvin, whose lower case is `k`.
        "\u{430}da@example.com",
        "\u{212a}en@example.com",
        "ada,ken@example.com",
    ] {
        check(&requirement, verified(address), Answer::No);
    }
    for address in [
        "ada",
        "",
        "@example.com",
        "ada@",
        "ada@example.com.",
        "ada@evil.test@example.com",
        "ada@example.com,ken@example.com",
        "ada@ex\u{430}mple.com",
    ] {
        check(&requirement, verified(address), Answer::Unknown(Unknown::NotAnAddress));
    }
    for address in [json!(["ada@example.com"]), json!(7), json!(null), json!({"ada@example.com": true})] {
        check(&requirement, json!({"email": address, "email_verified": true}), TYPE);
    }
}

#[test]
fn an_internationalised_domain_is_known_by_its_ascii_form_only() {
    let requirement = claim("email", Test::Domain(texts(&["xn--bcher-kva.example"])));
    let verified = |address: &str| json!({"email": address, "email_verified": true});
    check(&requirement, verified("ada@xn--bcher-kva.example"), Answer::Yes);
    check(&requirement, verified("ada@XN--BCHER-KVA.example"), Answer::Yes);
    check(&requirement, verified("ada@xn--bcher-kva.example.test"), Answer::No);
    check(&requirement, verified("ada@b\u{fc}cher.example"), Answer::Unknown(Unknown::NotAnAddress));
}

#[test]
fn a_12_groups_that_are_kept_elsewhere_are_not_known() {
    const OVERAGE: Answer = Answer::Unknown(Unknown::GroupsOverage);
    let member = contains("groups", &["sre"]);
    let sources = json!({"src1": {"endpoint": "https://evil.test/getMemberObjects"}});
    for claims in [
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}),
        json!({"_claim_names": {"groups": "src1"}}),
        json!({"hasgroups": true}),
        json!({"hasgroups": "true"}),
        json!({"hasgroups": true, "groups": []}),
        // A part of them would let `not` hold.
        json!({"hasgroups": true, "groups": ["sre"]}),
        json!({"_claim_names": {"groups": null}, "groups": ["sre"]}),
    ] {
        check(&member, claims.clone(), OVERAGE);
        check(&not(member.clone()), claims.clone(), OVERAGE);
        // The reason is told, whatever else is not known.
        let others = || [contains("wids", &["x"]), contains("groups", &["sre"]), contains("roles", &["x"])].to_vec();
        check(&Requirement::Any(others()), claims.clone(), OVERAGE);
        check(&Requirement::All(others()), claims.clone(), OVERAGE);
        // Other claims are there.
        let mut with_roles = claims;
        with_roles["roles"] = json!(["x"]);
        check(&Requirement::Any(others()), with_roles, Answer::Yes);
    }
    for claims in [
        json!({"_claim_names": {"other": "src1"}, "groups": ["sre"]}),
        json!({"_claim_names": ["groups"], "groups": ["sre"]}),
        json!({"hasgroups": false, "groups": ["sre"]}),
        json!({"_claim_sources": sources, "groups": ["sre"]}),
    ] {
        check(&member, claims, Answer::Yes);
    }
    check(
        &contains("realm_access.groups", &["sre"]),
        json!({"hasgroups": true, "realm_access": {"groups": ["sre"]}}),
        Answer::Yes,
    );
}

#[test]
fn a_12_of_groups_that_were_not_asked_for_nothing_is_known() {
    const OVERAGE: Answer = Answer::Unknown(Unknown::GroupsOverage);
    let known = json!({"groups": ["sre"], "_groups_asked": ["sre", "admin"]});
    check(&contains("groups", &["sre"]), known.clone(), Answer::Yes);
    check(&contains("groups", &["new", "sre"]), known.clone(), Answer::Yes);
    check(&contains("groups", &["admin"]), known.clone(), Answer::No);
    check(&not(contains("groups", &["admin"])), known.clone(), Answer::Yes);
    // A rule that is new in the file, and a session of before.
    check(&contains("groups", &["new"]), known.clone(), OVERAGE);
    check(&not(contains("groups", &["new"])), known.clone(), OVERAGE);
    check(&not(contains("groups", &["admin", "new"])), known, OVERAGE);
    for asked in [json!(null), json!("admin"), json!({"admin": true}), json!([7]), json!([])] {
        check(&contains("groups", &["admin"]), json!({"groups": ["sre"], "_groups_asked": asked}), OVERAGE);
    }
    check(&contains("roles", &["x"]), json!({"roles": ["sre"], "_groups_asked": []}), Answer::No);
    let wanted = Requirement::Any(vec![
        contains("groups", &["a", "b"]),
        not(contains("groups", &["c"])),
        contains("roles", &["d"]),
    ]);
    assert_eq!(wanted.groups().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_04_the_domain_of_an_address_counts_only_where_the_address_is_verified() {
    let requirement = claim("email", Test::Domain(texts(&["example.com"])));
    for verified in [json!(true), json!("true")] {
        check(&requirement, json!({"email": "ada@Example.COM", "email_verified": verified}), Answer::Yes);
        check(&requirement, json!({"email": "ada@other.test", "email_verified": verified}), Answer::No);
    }
    for (verified, why) in [
        (json!(false), Unverified::False),
        (json!("false"), Unverified::FalseText),
        (json!("True"), Unverified::Other),
        (json!(1), Unverified::Other),
        (json!(null), Unverified::Other),
        (json!(["true"]), Unverified::Other),
    ] {
        let expected = Answer::Unknown(Unknown::NotVerified(why));
        check(&requirement, json!({"email": "ada@example.com", "email_verified": verified}), expected);
    }
    check(&requirement, json!({"email": "ada@example.com"}), NOT_VERIFIED);
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
    let requirement = claim("email", Test::Equals(scalars(&["ceo@example.com"])));
    check(&requirement, json!({"email": "ceo@example.com", "email_verified": true}), Answer::Yes);
    check(&requirement, json!({"email": "ceo@example.com"}), NOT_VERIFIED);
    check(&contains("email", &["ceo@example.com"]), json!({"email": ["ceo@example.com"]}), NOT_VERIFIED);
}

#[test]
fn a_05_subject_and_issuer_are_those_that_were_verified() {
    let is = |path: &str, value: &str| claim(path, Test::Equals(scalars(&[value])));
    check(&is("sub", "alice"), json!({}), Answer::Yes);
    check(&is("iss", "https://idp.test"), json!({}), Answer::Yes);
    check(&is("sub", "root"), json!({"sub": "root"}), Answer::No);
}

#[test]
fn a_01_not_lets_nobody_in_of_whom_a_claim_is_not_known() {
    let requirement = not(contains("groups", &["contractors"]));
    check(&requirement, json!({"groups": ["staff"]}), Answer::Yes);
    check(&requirement, json!({"groups": ["contractors"]}), Answer::No);
    check(&requirement, json!({}), ABSENT);
    for groups in [json!(null), json!(7), json!(["staff", {}])] {
        check(&requirement, json!({ "groups": groups }), TYPE);
    }
    // Also where another part below `not` is known.
    let both = not(Requirement::All(vec![contains("groups", &["contractors"]), contains("roles", &["x"])]));
    check(&both, json!({"groups": ["staff"]}), ABSENT);
    check(&both, json!({"groups": ["staff"], "roles": ["x"]}), Answer::Yes);
    check(&not(not(requirement)), json!({}), ABSENT);
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
    let values = vec![Scalar::Integer(-3), Scalar::Text("3".to_owned()), Scalar::Truth(false)];
    assert_eq!(claim("a.b", Test::Equals(values)).to_string(), "`a.b` is -3 or `3` or false");
    let address = claim("email", Test::Address(texts(&["ada@example.com"])));
    assert_eq!(address.to_string(), "`email` is the verified address `ada@example.com`");
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
    let scalar = prop_oneof![
        "[ab]{1,2}".prop_map(Scalar::Text),
        (0_i64..3).prop_map(Scalar::Integer),
        any::<bool>().prop_map(Scalar::Truth)
    ];
    let values = move || proptest::collection::vec(scalar.clone(), 1..3);
    let texts = || proptest::collection::vec("[ab]{1,2}", 1..3);
    let test = prop_oneof![
        values().prop_map(Test::Contains),
        values().prop_map(Test::Equals),
        texts().prop_map(Test::Domain),
        texts().prop_map(Test::Address)
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
        prop_assert!(matches!((plain, turned), (Answer::Yes, Answer::No) | (Answer::No, Answer::Yes) | (Answer::Unknown(_), Answer::Unknown(_))));
    }
}

#[test]
fn what_keeps_a_user_out_is_named_without_the_values_of_the_claims() {
    let requirement = Requirement::All(vec![
        Requirement::Any(vec![contains("groups", &["sre"]), contains("roles", &["admin"])]),
        not(contains("teams", &["guests"])),
        contains("staff", &["yes"]),
    ]);
    let claims = json!({"groups": ["secret-group"], "teams": ["guests"], "staff": ["yes"]});
    assert_eq!(
        requirement.unmet(&identity(&claims)),
        [
            "`groups` contains `sre`: no",
            "`roles` contains `admin`: not known, the claim is absent",
            "`teams` contains `guests`: yes"
        ]
    );
    let admin = json!({"roles": ["admin"], "teams": [], "staff": ["yes"]});
    assert_eq!(requirement.unmet(&identity(&admin)), [""; 0]);
}

use proptest::prelude::*;

use super::*;
use crate::rule::pattern::Pattern;
use crate::rule::value::Value;

fn compiled(text: &str, case: Case) -> Result<Expression, Error> {
    Parsed::new(text, case)?.compile()
}

#[track_caller]
fn matches(text: &str, matching: &[&str], others: &[&str]) {
    let expression = compiled(text, Case::Sensitive).expect("an expression");
    for text in matching {
        assert!(expression.matches(text), "{text}");
    }
    for text in others {
        assert!(!expression.matches(text), "{text}");
    }
}

#[test]
fn p_11_an_expression_must_match_the_whole_text() {
    for text in ["/users/[^/]+", "^/users/[^/]+$", "^/users/[^/]+", "/users/[^/]+$", "(?m)^/users/[^/]+$"] {
        matches(text, &["/users/x", "/users/x y"], &["/users/x/admin", "/users/", "/v1/users/x", "/USERS/x", ""]);
    }
    // Of two alternatives, the shorter one does not win.
    matches("/a|/ab", &["/a", "/ab"], &["/abc"]);
    matches("(?x) /a # a comment", &["/a"], &["/a # a comment"]);
}

#[test]
fn an_expression_works_on_bytes() {
    matches("/..", &["/é", "/ab"], &["/éé", "/a"]);
    matches("/é+", &["/é", "/éé"], &["/"]);
    matches(r"/\d+", &["/42"], &["/٤٢"]);
    matches(r"/\w+\b", &["/a_1"], &["/é"]);
    assert!(compiled("K", Case::Insensitive).expect("an expression").matches("k"));
    assert!(!compiled("K", Case::Insensitive).expect("an expression").matches("\u{212a}"), "the Kelvin sign is no K");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let said = |text: &str| compiled(text, Case::Sensitive).expect_err(text).to_string();
    insta::assert_snapshot!(
        ["/a(", "/(?=a)", r"/(a)\1", "/(?>a)", r"/\p{L}", "/[é]", "/a{2", "/[z-a]", "/a**?{9}{", "(?u)\\bé"].map(said).join("\n"),
        @r"
    `/a(` is not a regular expression: unclosed group (character 3)
    `/(?=a)` is not a regular expression: look-ahead and look-behind are not supported (character 2); write a rule with a lower `priority` number for what must not match
    `/(a)\1` is not a regular expression: backreferences are not supported (character 5)
    `/(?>a)` is not a regular expression: unrecognized flag (character 4)
    `/\p{L}` is not a regular expression: `\p{…}`, and characters beyond ASCII in brackets, are not supported (character 2); write alternatives: `(?:ä|ö)`
    `/[é]` is not a regular expression: `\p{…}`, and characters beyond ASCII in brackets, are not supported (character 3); write alternatives: `(?:ä|ö)`
    `/a{2` is not a regular expression: unclosed counted repetition (character 3)
    `/[z-a]` is not a regular expression: invalid character class range, the start must be <= the end (character 3)
    `/a**?{9}{` is not a regular expression: unclosed counted repetition (character 9)
    `(?u)\bé` is not a regular expression: it uses Unicode in a way that is not supported
    "
    );
}

#[test]
fn d_19_an_expression_that_would_be_huge_is_refused() {
    for text in ["(a|b)*a(a|b){20}", ".*a.{24}b", "((a{100}){100}){100}", "(?:(?:(?:.{1,99}){99}){99}){99}"] {
        assert_eq!(compiled(text, Case::Sensitive).err(), Some(Error::TooLarge(text.to_owned())));
    }
    let nested = "(".repeat(60) + &")".repeat(60);
    assert!(matches!(compiled(&nested, Case::Sensitive), Err(Error::Syntax(..))));
}

/// Each of these makes engines that try one way after the other take exponential time.
#[test]
fn d_19_every_byte_of_a_text_is_read_once() {
    let long = "a".repeat(1 << 20) + "!";
    for text in ["(a+)+", "(a|a)*", "(a|aa)+", "(.*a){12}", "(a*)*b?"] {
        let expression = compiled(text, Case::Sensitive).expect("an expression");
        assert!(!expression.matches(&long), "{text}");
        assert!(expression.matches(&long[..1 << 20]), "{text}");
    }
}

#[test]
fn the_hull_is_what_can_be_said_with_wildcards() {
    let hull = |text: &str| Parsed::new(text, Case::Sensitive).expect("an expression").hull();
    for (text, pattern, is_exact) in [
        ("^/api/.*$", "/api/*", true),
        ("/api/.*", "/api/*", true),
        ("/(a)(.*)/(?:b)", "/a*/b", true),
        ("/users/[0-9]+/edit", "/users/*/edit", false),
        (r"/a\*b\?", r"/a\*b\?", true),
        ("/a?", "/*", false),
        ("/a|/b", "*", false),
        (r"/api\b.*", "/api*", false),
        ("/a.*^b", "/a*b", false),
        ("(?i)/API/.*", "*", false),
        (".*", "*", true),
        ("", "", true),
    ] {
        let (found, found_exact) = hull(text);
        // `/[Aa]` has letters that are no literals, and its slash is one.
        let found = if text.starts_with("(?i)") {
            found.replace("/**", "*").replace("/*/*", "*").replace("/*", "*")
        } else {
            found
        };
        assert_eq!(
            (&*Pattern::new(&found, Case::Sensitive).to_string(), found_exact),
            (&*Pattern::new(pattern, Case::Sensitive).to_string(), is_exact),
            "{text}"
        );
    }
    let folded = |text: &str| Parsed::new(text, Case::Insensitive).expect("an expression").hull();
    assert_eq!(folded(r".*\.Example\.COM"), ("*.example.com".to_owned(), true));
    assert_eq!(folded(r"(?-i:A)\.test"), ("a.test".to_owned(), false));
}

#[test]
fn an_expression_without_ends_may_be_meant_for_a_part() {
    let may = |text: &str| Parsed::new(text, Case::Sensitive).expect("an expression").may_be_meant_for_a_part();
    for text in ["^/a$", "^/a.*", ".*/a$", ".*a.*", "^a$|^b$", "^(a|b)$"] {
        assert!(!may(text), "{text}");
    }
    for text in ["/a", "^/a", "/a$", "^a|b$", "/a.*"] {
        assert!(may(text), "{text}");
    }
}

fn any_expression() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "a", "b", "A", "/", ".", "[ab]", "[^a]", r"\*", "(a|b/)", "(?:/a)", "^", "$", r"\b", "é",
    ]);
    let times = prop::sample::select(vec!["", "", "", "*", "+", "?", "{2}"]);
    prop::collection::vec((atom, times), 0..6)
        .prop_map(|parts| parts.into_iter().map(|(atom, times)| format!("{atom}{times}")).collect())
}

proptest! {
    /// No expression matches more than its hull, and one that is its hull matches no less. An expression that covers another, or a
    /// pattern, matches all that the other matches.
    #[test]
    fn hulls_and_covers_are_never_wrong(
        ours in any_expression(), theirs in any_expression(), pattern in "[ab/*?]{0,4}", texts in prop::collection::vec("[abA/é*]{0,5}", 1..12),
        case in prop::sample::select(vec![Case::Sensitive, Case::Insensitive]),
    ) {
        let value = |text: &str| Value::regex(text, Parsed::new(text, case).ok()?, case).ok();
        let (Some(ours), Some(theirs)) = (value(&ours), value(&theirs)) else { return Ok(()) };
        let pattern = Value::wildcards(&pattern, case);
        for text in &texts {
            prop_assert!(!ours.matches(text) || ours.hull().matches(text), "{ours} in {} on {text}", ours.hull());
            prop_assert!(!ours.is_everything() || ours.matches(text), "{ours} on {text}");
            prop_assert!(ours.may_begin_with(b'/') || !(text.starts_with('/') && ours.matches(text)), "{ours} on {text}");
            for (one, other) in [(&ours, &theirs), (&ours, &pattern), (&pattern, &ours)] {
                prop_assert!(!one.covers(other) || !other.matches(text) || one.matches(text), "{one} covers {other} on {text}");
            }
        }
    }
}

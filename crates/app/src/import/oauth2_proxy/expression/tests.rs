use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(regex: &str, expected: &str) -> Translated {
    let translated = translate(regex).unwrap_or_else(|why| panic!("{regex}: {why}"));
    assert_eq!(translated.text, expected, "{regex}");
    translated
}

fn takes(regex: &str, path: &str) -> bool {
    let text = translate(regex).unwrap_or_else(|why| panic!("{regex}: {why}")).text;
    let regex = regex_automata::meta::Builder::new()
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true))
        .configure(regex_automata::meta::Config::new().utf8_empty(false))
        .build(&format!("^(?:{text})$"));
    regex.expect("an expression").is_match(path)
}

#[test]
fn what_go_searches_for_is_compared_with_the_whole_path() {
    check("^/api/v[0-9]+/", "^/api/v[0-9]+/.*");
    check("^/a|b", ".*(?:^/a|b).*");
    check("^(/a|/b)$", "^(/a|/b)$");
    check("^/a$|^/b$", "^/a$|^/b$");
    check("/health", ".*/health.*");
    check(r"\.(css|js)$", r".*\.(css|js)$");
    check(r"\A/x\z", r"\A/x\z");
    check("^/x.*", "^/x.*");
    check(".*/x$", ".*/x$");
    check("(?i)^/x/[a-z]+$", "(?i)^/x/[a-z]+$");
    check("^/a/[^/]+/b$", "^/a/[^/]+/b$");
    for (path, expected) in [("/a", true), ("/a/x", true), ("/xb", true), ("/x/b/c", true), ("/x", false)] {
        assert_eq!(takes("^/a|b", path), expected, "{path}");
    }
    let anywhere = |regex: &str| translate(regex).expect("an expression").is_anywhere;
    assert!(anywhere("/health") && anywhere("^/a|b") && anywhere(".*/x$"));
    assert!(!anywhere("^/a") && !anywhere("^/a|^/b") && !anywhere(r"\A/x"));
}

#[test]
fn the_literal_that_all_paths_begin_with_is_known() {
    for (regex, expected) in [
        ("^/api/v[0-9]+/", "/api/v"),
        ("^/api/?$", "/api"),
        ("^/a+", "/"),
        (r"^/a\.b$", "/a.b"),
        ("/api", ""),
        ("^/a|^/b", ""),
        ("^(/a)", ""),
        ("(?i)^/api", ""),
        ("^(?i)/api", ""),
        ("^/a(?i)pi", ""),
    ] {
        assert_eq!(translate(regex).expect("an expression").literal, expected, "{regex}");
    }
}

/// A character beyond ASCII is one for Go, and several bytes here.
#[test]
fn no_two_parts_share_a_character() {
    check("^/..$", "^/[ -~][ -~]$");
    check("^/.{2}$", "^/[ -~]{2}$");
    check("^/[^/]{3,}$", "^/[[^/]&&[ -~]]{3,}$");
    check("^/[^/]+.+$", "^/[[^/]&&[ -~]]+[ -~]+$");
    check("^/([^/]+)$", "^/([[^/]&&[ -~]]+)$");
    check(r"^/\D\W$", r"^/[\D&&[ -~]][\W&&[ -~]]$");
    check("^/x.y$", "^/x.y$");
    check("^/[^/]+$", "^/[^/]+$");
    check("^/.*[^a]*$", "^/.*[^a]*$");
    // U+212A is a `k` for Go, if case is ignored.
    check("(?i)^/[^k]*$", "(?i)^/[[^k]&&[ -~]]*$");
    assert!(takes("^/[^/]+$", "/\u{e9}") && takes("^/x.*$", "/x\u{e9}"));
    for (regex, path) in
        [("^/..$", "/\u{e9}"), ("^/.{2}$", "/\u{e9}"), ("(?i)^/[^k]*$", "/\u{212a}"), ("^/[^a][^b]$", "/\u{e9}")]
    {
        assert!(!takes(regex, path), "{regex} {path}");
    }
}

#[test]
fn what_the_two_flavours_read_in_two_ways_is_refused() {
    for regex in [
        // Operators of sets, and sets in sets.
        "^/[a&&b]$",
        "^/[a-z--b]$",
        "^/[a~~b]$",
        "^/[[a]]$",
        "^/[[:foo:]]$",
        // Literals in Go.
        "^/a{,3}$",
        "^/a{ 3 }$",
        r"^/\<a$",
        r"^/a\>$",
        r"^/\b{start}a",
        // Unicode.
        "^/\u{e9}$",
        "^/[\u{e9}]$",
        r"^/\pL$",
        r"^/\p{Greek}$",
        r"^/\u0041$",
        r"^/\x{e9}$",
        "(?u)^/a$",
        "(?x)^/ a$",
        "(?R)^/a$",
        // Other flavours.
        r"^/\Qa\E$",
        r"^/\141$",
        "^/(?=a)",
        "^/(a",
        r"^/a\B",
        // No path has it, or the table is too large.
        "^/a//b$",
        "^/a;b$",
        "^/%20",
        "^.*a.{40}b$",
    ] {
        assert!(translate(regex).is_err(), "{regex}: {:?}", translate(regex));
    }
}

fn any_expression() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "a", "b", "/", "/a", ".", "[^/]", "[^a]", "[ab]", "(a|b/)", "(?:/.)", "([^/]+)", "(.)", "(?:.|a)", "^", "$",
        "|",
    ]);
    let times = prop::sample::select(vec!["", "", "", "*", "+", "?", "{2}", "{1,}", "*?"]);
    let parts = prop::collection::vec((atom, times), 1..6);
    (any::<bool>(), parts).prop_map(|(is_anchored, parts)| {
        let parts: String = parts.into_iter().map(|(atom, times)| format!("{atom}{times}")).collect();
        if is_anchored { format!("^/{parts}") } else { parts }
    })
}

proptest! {
    /// What is taken is found by a search that works on characters, as Go's does.
    #[test]
    fn no_path_is_taken_that_a_search_does_not_find(
        regex in any_expression(), paths in prop::collection::vec("/[ab/\u{e9}\u{20ac}\u{1f600}x]{0,6}", 1..16),
    ) {
        let Ok(translated) = translate(&regex) else { return Ok(()) };
        let by_characters = regex_automata::meta::Regex::new(&regex).expect("it can be read");
        let condition = Condition::path_regex(std::slice::from_ref(&translated.text)).expect("it was checked");
        let Condition::PathPattern(values) = &condition else { panic!("{condition:?}") };
        for path in &paths {
            let is_taken = values.iter().any(|value| value.matches(path));
            prop_assert!(!is_taken || by_characters.is_match(path.as_str()), "{regex} as {translated:?} takes {path}");
        }
    }
}

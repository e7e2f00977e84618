use insta::assert_snapshot;

use super::*;
use crate::config::document::diagnostic::Label;

/// A warning about `what`, and a label at `other`, in that text.
fn diagnostic(text: &str, what: &str, other: Option<&str>) -> Diagnostic {
    let place = |what: &str| {
        let start = text.find(what).unwrap();
        Span { start, end: start + what.len() }
    };
    Diagnostic {
        severity: Severity::Warning,
        span: Some(place(what)),
        path: "a.b".to_owned(),
        message: "this\u{1b}[31m is\u{202e} not red".to_owned(),
        hint: Some("write something else".to_owned()),
        labels: other
            .map(|other| Label { span: place(other), text: "first used here".to_owned() })
            .into_iter()
            .collect(),
        veiled: None,
    }
}

#[test]
fn tabs_and_wide_letters_do_not_move_the_carets() {
    let text = "ä:\t日本: here # é\r\nnext: line\r\n";
    assert_snapshot!(plain("f.yaml", text, &[diagnostic(text, "here", None)]), @r#"
    warning: this�[31m is� not red
     --> f.yaml:1:8
      |
    1 | ä:    日本: here # é
      |             ^^^^
      |
      = at: a.b
      = help: write something else
    "#);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = "a: \u{1b}[31mhere\u{7}\u{202e}\n";
    let shown = plain("f\u{1b}.yaml", text, &[diagnostic(text, "here", None)]);
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{shown:?}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let text = format!("{}here{}\n", "x".repeat(3000), "y".repeat(3000));
    let shown = plain("f.yaml", &text, &[diagnostic(&text, "here", None)]);
    assert!(shown.contains("xxxhereyyy"), "{shown}");
    assert!(shown.contains("f.yaml:1:3001"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
}

#[test]
fn both_places_are_shown_and_not_what_is_between_them() {
    let text = format!("a: first\n{}b: second\n", "# between\n".repeat(50));
    let shown = plain("f.yaml", &text, &[diagnostic(&text, "second", Some("first"))]);
    assert_snapshot!(shown, @r#"
    warning: this�[31m is� not red
      --> f.yaml:52:4
       |
     1 | a: first
       |    ----- first used here
    ...
    52 | b: second
       |    ^^^^^^
       |
       = at: a.b
       = help: write something else
    "#);
}

#[test]
fn colours_change_nothing_else() {
    let text = "a: first\nb: second\n";
    let list = [diagnostic(text, "second", Some("first"))];
    let coloured = coloured("f.yaml", text, &list);
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain("f.yaml", text, &list));
}

#[test]
fn a_place_at_the_end_of_the_text_is_shown() {
    let text = "a:";
    let span = Some(Span { start: 2, end: 2 });
    let shown = plain("f.yaml", text, &[Diagnostic { span, ..diagnostic(text, "a", None) }]);
    assert!(shown.contains("f.yaml:1:3"), "{shown}");
    let shown = plain("f.yaml", "", &[Diagnostic { span: None, ..diagnostic(text, "a", None) }]);
    assert!(shown.contains("f.yaml\n"), "{shown}");
}

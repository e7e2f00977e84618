use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::document::findings::Findings;
use crate::config::document::parse;
use crate::config::document::scalar::Environment;
use crate::config::document::tree::{Node, Value};

fn read(text: &str) -> Node {
    let mut found = Findings::default();
    let environment = Environment::Given(BTreeMap::from([("NAME".to_owned(), "of the environment".to_owned())]));
    let parsed = parse::parse(text, &environment, &mut found).unwrap_or_else(|_| panic!("not YAML: {text}"));
    assert!(found.verdict().is_ok(), "{:?}\n{text}", found.located(None));
    parsed.root
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::String(text) | Value::Substituted { text, .. } => Some(text),
        _ => None,
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(quoted(text), expected);
    let document = Map::default().with("key", text).with("list", &[text.to_owned(), text.to_owned()][..]);
    let written = write(&[], &document, Files::AsNamed);
    let root = read(&written);
    assert_eq!(root.get("key").and_then(text_of), Some(text), "{written}");
    let Some(Value::Sequence(items)) = root.get("list").map(|list| &list.value) else { panic!("{written}") };
    assert!(items.len() == 2 && items.iter().all(|item| text_of(item) == Some(text)), "{written}");
}

#[test]
fn a_text_is_a_word_or_in_quotes() {
    check("app", "app");
    check("https://login.example.com:8443/a", "https://login.example.com:8443/a");
    check("/a/b", "/a/b");
    check("", "\"\"");
    check("*.example.com", "\"*.example.com\"");
    check("a: b", "\"a: b\"");
    check("a:", "\"a:\"");
    check("a #b", "\"a #b\"");
    check("true", "\"true\"");
    check("No", "\"No\"");
    check("8080", "\"8080\"");
    check("0x1f", "\"0x1f\"");
    check("a, b", "\"a, b\"");
    check("a\nlisteners: []", "\"a\\nlisteners: []\"");
    check("say \"no\" \\", "\"say \\\"no\\\" \\\\\"");
    check("${HOME}", "\"$${HOME}\"");
    check("#{path}", "\"#{path}\"");
    check("\u{7}\u{85}\u{2028}é", "\"\\U00000007\\U00000085\\U00002028é\"");
}

#[test]
fn a_comment_stays_a_comment() {
    let mut document = Map::default().with("a", "b");
    document.comment("a", "one\nc: d\r\u{85}e: f");
    let written = write(&["first\nx: y".to_owned()], &document, Files::AsNamed);
    assert_eq!(read(&written).entries().len(), 1, "{written}");
}

#[test]
fn a_document_looks_like_the_example() {
    let rule = Map::default()
        .with("name", "a")
        .with("conditions", vec![Map::default().with("path_pattern", &["/a".to_owned()][..])]);
    let mut listener =
        Map::default().with("name", "public").with("idle", Duration::from_secs(90)).with("rules", vec![rule]);
    listener.comment("name", "say what it is");
    let document = Map::default()
        .with("listeners", vec![listener])
        .with("secret", Yaml::Variable("NAME".to_owned()))
        .with("none", Map::default())
        .with("many", &vec!["a-long-word-for-a-list".to_owned(); 6][..]);
    let written = write(&["Made from elsewhere.".to_owned()], &document, Files::AsNamed);
    insta::assert_snapshot!("yaml_document", written);
    assert_eq!(read(&written).get("secret").and_then(text_of), Some("of the environment"));
}

#[test]
fn files_of_a_rehearsal_are_all_below_its_folder() {
    let files = Files::Below(Path::new("/tmp/x"));
    for (named, expected) in [
        ("keys/a", "/tmp/x/keys/a"),
        ("/etc/ssl/a", "/tmp/x/root/etc/ssl/a"),
        ("../../a", "/tmp/x/above/above/a"),
        ("./a", "/tmp/x/a"),
    ] {
        assert_eq!(files.path(named), Path::new(expected));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_as_it_was(text in "\\PC*|[ -~\n\t\r\u{0}-\u{1f}\u{80}-\u{9f}#:,{}\\[\\]\"'$&*!|>%@`-]*") {
        let document = Map::default().with("key", text.as_str()).with("list", &[text.clone()][..]).with("end", 1);
        let written = write(&[], &document, Files::AsNamed);
        let root = read(&written);
        prop_assert_eq!(root.get("key").and_then(text_of), Some(&*text), "{}", written);
        prop_assert_eq!(root.entries().len(), 3);
        if !text.is_empty() {
            let keyed = write(&[], &Map::default().with("map", Map::default().with(&text, 1)), Files::AsNamed);
            let keys: Vec<_> = read(&keyed).get("map").map(|map| map.entries().iter().map(|entry| entry.key.clone()).collect()).unwrap_or_default();
            prop_assert!(text.contains("${") || text == "<<" || keys == [text], "{}", keyed);
        }
    }
}

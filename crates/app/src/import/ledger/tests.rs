use serde_json::json;

use super::*;

fn rows(ledger: Ledger) -> Vec<(String, &'static str)> {
    ledger.rows().into_iter().map(|row| (row.setting, row.fate.word())).collect()
}

#[test]
fn every_setting_has_one_row_and_what_nobody_mentions_is_dropped() {
    let document = json!({"a": {"b": 1, "bb": [], "c": [true, {"d": null}]}, "x/y": "z"});
    let root = At::root("f", &document);
    let mut ledger = Ledger::default();
    ledger.add(&root);
    ledger.kept(&root.get("A").unwrap().get("b").unwrap().path, "there");
    ledger.changed("f: a.c", "another form");
    ledger.dropped("f: a.c[0]", "too late");
    assert_eq!(ledger.unknown("f: a"), ["f: a.bb"]);
    let expected = [
        ("f: a.b", "kept"),
        ("f: a.bb", "dropped"),
        ("f: a.c[0]", "changed"),
        ("f: a.c[1].d", "changed"),
        ("f: [x/y]", "dropped"),
    ];
    assert_eq!(rows(ledger), expected.map(|(path, word)| (path.to_owned(), word)));
}

#[test]
fn a_setting_whose_effect_is_revoked_is_dropped_and_keeps_a_reason_that_it_had() {
    let document = json!({"rule": {"a": 1, "b": 2}, "ruled": 3});
    let mut ledger = Ledger::default();
    ledger.add(&At::root("f", &document));
    ledger.kept("f: ", "all");
    ledger.revoke("f: rule.b", "own reason");
    ledger.revoke("f: rule", "closed");
    let found: Vec<_> = ledger.rows().into_iter().map(|row| row.fate.why().to_owned()).collect();
    assert_eq!(found, ["closed", "own reason", "all"]);
}

#[test]
fn a_setting_that_is_there_twice_has_two_rows() {
    let mut ledger = Ledger::default();
    ledger.add_leaf("line 1: Require".to_owned());
    ledger.add_leaf("line 1: Require".to_owned());
    ledger.kept("line 1: Require", "both");
    assert_eq!(rows(ledger), [("line 1: Require".to_owned(), "kept"), ("line 1: Require (2)".to_owned(), "kept")]);
}

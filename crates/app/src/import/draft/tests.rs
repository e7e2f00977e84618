use super::*;

#[test]
fn a_name_of_ours_is_like_the_other_and_free() {
    for (text, expected) in
        [("a b/c", "a-b-c"), ("-", "unnamed"), ("", "unnamed"), ("login.example.com", "login.example.com")]
    {
        assert_eq!(name_like(text), expected);
    }
    assert_eq!(name_like(&"a".repeat(99)).len(), NAME_LENGTH_MAX);
    assert_eq!(free_name("a", |name| matches!(name, "a" | "a-2")), "a-3");
}

#[test]
fn a_closed_chain_stays_closed_and_keeps_its_reason() {
    let mut chain = Chain::Open { login: None, gates: Vec::new(), terminal: Map::default() };
    chain.close("first");
    chain.close("second");
    assert_eq!(chain, Chain::Closed("first".to_owned()));
}

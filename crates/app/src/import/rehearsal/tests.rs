use super::*;

#[test]
fn the_place_of_a_rule_is_found_in_a_path() {
    assert_eq!(index_after("listeners[2].rules[0]", "listeners"), Some((2, ".rules[0]")));
    assert_eq!(index_after("rules[10]", "rules"), Some((10, "")));
    for other in ["listeners", "listeners[x]", "rules[1]", "", "listeners[1"] {
        assert_eq!(index_after(other, "listeners"), None, "{other}");
    }
}

#[test]
fn nothing_is_left_of_a_rehearsal() {
    let folder = Folder::new().unwrap();
    let path = folder.0.clone();
    std::fs::write(path.join("a"), "b").unwrap();
    drop(folder);
    assert!(!path.exists());
}

//! The texts of the pages, which the room `page` reads by a way of its own.

use crate::config::document::findings::Findings;
use crate::config::document::parse;
use crate::config::document::scalar::Environment;
use crate::config::document::tree::Value;
use crate::page::translation::built_in;

const FILES: [&str; 2] =
    [include_str!("../../../../base/src/page/texts/en.yaml"), include_str!("../../../../base/src/page/texts/de.yaml")];

#[test]
fn a_file_has_each_key_once_and_says_the_same_to_a_reader_of_yaml() {
    assert_eq!(FILES.len(), built_in().len(), "a language that is not read here");
    for (file, translation) in FILES.into_iter().zip(built_in()) {
        let mut found = Findings::default();
        let parsed = parse::parse(file, &Environment::Process, &mut found).expect("it is YAML");
        assert!(parsed.repeated.is_empty(), "a key is there twice");
        for entry in parsed.root.entries() {
            let Value::String(text) = &entry.value.value else { panic!("{} is no text", entry.key) };
            assert_eq!(translation.find(&entry.key), Some(text.as_str()));
        }
        assert_eq!(parsed.root.entries().len(), translation.keys().count());
    }
}

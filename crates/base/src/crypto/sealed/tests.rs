use super::*;
use crate::secret::Secret;

fn sealer() -> Sealer {
    Sealer::new([Key::new(&Secret::new([1; 32]))].into())
}

fn context<const N: usize>(parts: [&str; N]) -> Context {
    Context::new(parts)
}

#[test]
fn a_value_opens_as_it_was_and_as_nothing_else() {
    let text = sealer().seal(&context(["n", "h"]), &["a", "b"]);
    let opened = sealer().open::<Vec<String>>(&context(["n", "h"]), text.as_bytes());
    assert_eq!(opened.expect("it was sealed here"), ["a", "b"]);
    assert!(sealer().open::<u64>(&context(["n", "h"]), text.as_bytes()).is_err(), "of another type");
    let other = Sealer::new([Key::new(&Secret::new([2; 32]))].into());
    assert!(other.open::<Vec<String>>(&context(["n", "h"]), text.as_bytes()).is_err(), "by another key");
}

#[test]
fn s_04_contexts_that_read_the_same_when_joined_are_not_the_same() {
    let text = sealer().seal(&context(["ab", "c"]), &1);
    assert!(sealer().open::<u64>(&context(["a", "bc"]), text.as_bytes()).is_err());
    assert!(sealer().open::<u64>(&context(["abc"]), text.as_bytes()).is_err());
    assert_ne!(context(["ab", "c"]), context(["a", "bc"]));
}

#[test]
fn c_14_a_truncated_extended_or_changed_value_does_not_open() {
    let text = sealer().seal(&context(["n", "h"]), &"value");
    let refused =
        |text: &[u8]| assert!(sealer().open::<String>(&context(["n", "h"]), text).is_err(), "{}", text.escape_ascii());
    for length in 0..text.len() {
        refused(&text.as_bytes()[..length]);
    }
    refused(format!("{text}A").as_bytes());
    refused(format!("{text}=").as_bytes());
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        refused(&changed);
    }
}

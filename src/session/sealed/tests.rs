use super::*;
use crate::session::tests::settings;

fn scope<'a>(name: &'a str, host: &'a str) -> Scope<'a> {
    Scope { purpose: Purpose::PendingLogin, name, host }
}

#[test]
fn a_value_opens_as_it_was() {
    let keys = settings([1]).keys;
    let text = seal(&keys, &scope("n", "h"), &vec!["a", "b"]);
    assert_eq!(open::<Vec<String>>(&keys, &scope("n", "h"), text.as_bytes()), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(open::<u64>(&keys, &scope("n", "h"), text.as_bytes()), Err(Error::Invalid), "of another type");
}

#[test]
fn s_04_scopes_that_read_the_same_when_joined_are_not_the_same() {
    let keys = settings([1]).keys;
    let text = seal(&keys, &scope("ab", "c"), &1);
    assert_eq!(open::<u64>(&keys, &scope("a", "bc"), text.as_bytes()), Err(Error::Invalid));
    assert_ne!(scope("ab", "c").associated(), scope("a", "bc").associated());
}

#[test]
fn c_14_a_truncated_extended_or_changed_value_does_not_open() {
    let keys = settings([1]).keys;
    let text = seal(&keys, &scope("n", "h"), &"value");
    let refused = |text: &[u8]| assert_eq!(open::<String>(&keys, &scope("n", "h"), text), Err(Error::Invalid));
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

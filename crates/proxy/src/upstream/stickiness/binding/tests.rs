use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::crypto::aead::Key;
use crate::secret::Secret;
use crate::upstream::tls::{self, Trust};

const NOW: Timestamp = Timestamp::from_seconds(1_795_507_200);
const END: Timestamp = Timestamp::from_seconds(1_795_507_200 + 3600);
const TARGET: Tag = Tag([7; TAG_BYTES]);

fn seal(keys: &[u8], group: &str) -> Seal {
    let keys: Arc<[Key]> = keys.iter().map(|byte| Key::new(&Secret::new([*byte; 32]))).collect();
    Seal::new(Sealer::new(keys), group)
}

#[test]
fn what_is_sealed_opens_until_its_end() {
    let seal = seal(&[1], "app");
    let text = seal.seal(TARGET, END);
    assert_eq!(text.len(), TEXT_LENGTH);
    let at = |now| seal.open(text.as_bytes(), now);
    assert_eq!(at(NOW), Some(TARGET));
    assert_eq!(at(Timestamp::from_millis(END.millis() - 1)), Some(TARGET));
    assert_eq!(at(END), None);
    assert_eq!(at(END + Duration::from_secs(1)), None);
}

#[test]
fn no_byte_can_be_changed() {
    let seal = seal(&[1], "app");
    let text = seal.seal(TARGET, END).into_bytes();
    for index in 0..text.len() {
        for other in b"A_z9=;".iter().filter(|other| **other != text[index]) {
            let mut changed = text.clone();
            changed[index] = *other;
            assert_eq!(seal.open(&changed, NOW), None, "byte {index}");
        }
    }
    for length in 0..text.len() {
        assert_eq!(seal.open(&text[..length], NOW), None, "{length} bytes");
    }
    assert_eq!(seal.open(&[&text[..], b"A"].concat(), NOW), None);
    assert_eq!(seal.open(&vec![b'A'; 1 << 20], NOW), None);
}

#[test]
fn only_this_group_of_this_installation_opens_it() {
    let text = seal(&[1], "app").seal(TARGET, END);
    assert_eq!(seal(&[1], "api").open(text.as_bytes(), NOW), None);
    assert_eq!(seal(&[2], "app").open(text.as_bytes(), NOW), None);
    // The same key encrypts sessions and the login of users.
    let sealer = Sealer::new(Arc::from([Key::new(&Secret::new([1; 32]))]));
    let session = sealer.seal_bytes(&Context::new(["vestibule session", "app", "app.test"]), &[1; PLAIN_BYTES]);
    assert_eq!(seal(&[1], "app").open(session.as_bytes(), NOW), None);
}

#[test]
fn every_key_opens_and_the_first_seals() {
    let text = seal(&[1], "app").seal(TARGET, END);
    assert_eq!(seal(&[2, 1], "app").open(text.as_bytes(), NOW), Some(TARGET));
    let text = seal(&[2, 1], "app").seal(TARGET, END);
    assert_eq!(seal(&[2], "app").open(text.as_bytes(), NOW), Some(TARGET));
    assert_eq!(seal(&[1], "app").open(text.as_bytes(), NOW), None);
}

#[test]
fn a_value_of_another_version_is_none() {
    let seal = seal(&[1], "app");
    let mut plain = [0xff; PLAIN_BYTES];
    let text = |plain: &[u8]| seal.sealer.seal_bytes(&seal.context, plain);
    plain[0] = VERSION + 1;
    assert_eq!(seal.open(text(&plain).as_bytes(), NOW), None);
    plain[0] = VERSION;
    assert!(seal.open(text(&plain).as_bytes(), NOW).is_some());
}

#[test]
fn a_target_has_the_same_tag_everywhere() {
    let id = |place: Place, tls| TargetId { group: "app".into(), place, tls };
    let address = |name: Option<&str>| Place::Address {
        address: "10.0.0.7:3000".parse().expect("an address"),
        name: name.map(Into::into),
    };
    let tag = |place, tls| Tag::of(&id(place, tls));
    let plain = tag(address(None), None);
    // The start of the SHA-256 of `vestibule target http 10.0.0.7:3000`: another process computes the same.
    assert_eq!(plain.expect("a tag").0[..4], [0xe3, 0x81, 0x2e, 0x78]);
    assert_eq!(tag(address(Some("app.test")), None), plain, "the address of a name");
    assert_ne!(
        tag(
            address(None),
            Some(tls::config(Trust::Any, None, None, crate::upstream::protocol_version::ProtocolVersion::Http1))
        ),
        plain
    );
    assert_ne!(tag(Place::new("10.0.0.7", 3001), None), plain);
    let socket = |path: &str| tag(Place::Unix(Path::new(path).into()), None);
    assert!(socket("/run/app.sock").is_some() && socket("/run/app.sock") != socket("/run/api.sock"));
    assert_eq!(tag(Place::new("app.test", 3000), None), None, "which of its addresses is not known");
}

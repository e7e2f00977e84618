use super::*;

fn key(seed: u8) -> Key {
    Key::new(&Secret::new([seed; 32]))
}

#[test]
fn what_was_sealed_opens() {
    let sealed = key(1).seal(b"hello", b"purpose");
    assert_eq!(open(&[key(2), key(1)], &sealed, b"purpose").expect("same key and purpose"), b"hello");
}

#[test]
fn s_01_every_flipped_bit_is_refused() {
    let sealed = key(1).seal(b"hello", b"purpose");
    for byte in 0..sealed.len() {
        for bit in 0..8 {
            let mut tampered = sealed.clone();
            tampered[byte] ^= 1 << bit;
            assert!(open(&[key(1)], &tampered, b"purpose").is_err(), "byte {byte}, bit {bit}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let sealed = key(1).seal(b"hello", b"purpose");
    for length in 0..sealed.len() {
        assert!(open(&[key(1)], &sealed[..length], b"purpose").is_err(), "length {length}");
    }
}

#[test]
fn another_purpose_or_key_is_refused() {
    let sealed = key(1).seal(b"hello", b"purpose");
    assert!(open(&[key(1)], &sealed, b"other purpose").is_err());
    assert!(open(&[key(2)], &sealed, b"purpose").is_err());
}

#[test]
fn s_06_nonces_differ() {
    let key = key(1);
    let nonces: std::collections::HashSet<_> =
        (0..10_000).map(|_| key.seal(b"", b"")[HEAD_BYTES..HEAD_BYTES + NONCE_LEN].to_vec()).collect();
    assert_eq!(nonces.len(), 10_000);
}

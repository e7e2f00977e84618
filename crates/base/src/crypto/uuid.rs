//! Universally unique identifiers (RFC 9562).

use std::fmt::Write as _;

use crate::crypto::octets;

/// A random one (§5.4).
pub fn random() -> String {
    text(4, octets::random())
}

/// One of the first 16 bytes of a hash (§5.8: "custom").
pub fn of_hash(hash: &[u8; 32]) -> String {
    text(8, hash[..16].try_into().expect("the hash has 32 bytes"))
}

fn text(version: u8, mut bytes: [u8; 16]) -> String {
    bytes[6] = version << 4 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_shape_the_version_and_the_variant() {
        let hash = octets::sha256(b"x");
        assert_eq!(of_hash(&hash), of_hash(&hash));
        assert_ne!(random(), random());
        for (version, uuid) in [('4', random()), ('8', of_hash(&hash))] {
            let parts: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
            assert!(
                uuid[14..].starts_with(version) && matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
                "{uuid}"
            );
        }
    }
}

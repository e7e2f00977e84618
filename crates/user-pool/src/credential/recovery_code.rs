//! Recovery codes: written down by the user, each good once in the place of a second factor (pool §7.6).

use crate::crypto::octets;
use crate::secret::Secret;

/// How many a user gets.
pub(crate) const COUNT: usize = 10;

/// Letters and digits that nobody mistakes for another: no 0, 1, i, l, o, u.
const ALPHABET: &[u8; 30] = b"23456789abcdefghjkmnpqrstvwxyz";
/// 3 × 5 characters are 73 bits: nobody finds one by trying, so that a fast hash is enough.
const GROUPS: usize = 3;
const GROUP: usize = 5;

/// New codes, as they are shown: `xxxxx-xxxxx-xxxxx`.
pub(crate) fn make() -> Vec<Secret<String>> {
    (0..COUNT).map(|_| one()).collect()
}

fn one() -> Secret<String> {
    let mut code = String::with_capacity(GROUPS * (GROUP + 1));
    for place in 0..GROUPS * GROUP {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        code.push(letter());
    }
    Secret::new(code)
}

/// Each with the same probability.
fn letter() -> char {
    loop {
        let [byte] = octets::random::<1>();
        // 240 is a multiple of 30.
        if byte < 240 {
            return char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
        }
    }
}

/// The hash of a code that was shown or typed. `None` if the text cannot be one. Case, spaces and dashes do not matter.
pub(crate) fn hash(typed: &str) -> Option<[u8; 32]> {
    let plain: String = typed
        .chars()
        .filter(|character| !character.is_whitespace() && *character != '-')
        .map(|character| character.to_ascii_lowercase())
        .collect();
    let is_code = plain.len() == GROUPS * GROUP && plain.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then(|| octets::sha256(format!("vestibule recovery code {plain}").as_bytes()))
}

/// The hashes of new codes.
pub(crate) fn hashes(codes: &[Secret<String>]) -> Vec<[u8; 32]> {
    codes.iter().filter_map(|code| hash(code.expose())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_different_and_found_again_however_they_are_typed() {
        let codes = make();
        assert_eq!(codes.len(), 10);
        let hashes: std::collections::BTreeSet<_> = codes.iter().map(|code| hash(code.expose())).collect();
        assert_eq!(hashes.len(), 10);
        assert!(!hashes.contains(&None));
        let code = codes[0].expose();
        assert_eq!(code.len(), 17);
        for typed in [code.to_uppercase(), code.replace('-', ""), format!(" {} ", code.replace('-', " "))] {
            assert_eq!(hash(&typed), hash(code), "{typed}");
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        for typed in ["", "123456", "abcde-fghjk-mnpq", "abcde-fghjk-mnpqo", "abcde-fghjk-mnpqrs"] {
            assert_eq!(hash(typed), None, "{typed}");
        }
    }
}

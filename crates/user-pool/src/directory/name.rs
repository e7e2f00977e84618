//! The canonical form of a user name.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Maximum length of a user name, in bytes of the canonical form.
pub(crate) const USER_NAME_MAX_BYTES: usize = 256;

/// Maximum length of a name that a new user gets, in characters (pool §2.2).
pub(crate) const NEW_NAME_MAX: usize = 128;

/// A user name in canonical form: trimmed, NFKC, lower case (attacks U-04).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserName(String);

impl UserName {
    /// Parses the typed text. `None` if it is not a valid name (empty, too long, control characters).
    pub fn parse(typed: &str) -> Option<Self> {
        const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
        if typed.len() > 4 * USER_NAME_MAX_BYTES {
            return None;
        }
        let composed = NFKC.normalize(typed);
        // Character by character, because `str::to_lowercase` treats a sigma at the end of a word differently.
        let lower: String = composed.chars().flat_map(char::to_lowercase).collect();
        let name = NFKC.normalize(&lower).trim().to_owned();
        let is_name = !name.is_empty() && name.len() <= USER_NAME_MAX_BYTES && !name.contains(char::is_control);
        is_name.then_some(Self(name))
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a new user can get it (pool §2.2). Users of the configuration may have others.
    pub(crate) fn may_be_new(&self) -> bool {
        self.0.chars().count() <= NEW_NAME_MAX && !self.0.contains(char::is_whitespace)
    }

    /// A name that no user can have.
    pub(crate) fn nobody() -> Self {
        Self(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u_04_every_spelling_of_a_name_is_one_name() {
        let admin = UserName::parse("admin").expect("a name");
        for spelling in ["Admin", " admin ", "ADMIN", "ＡＤＭＩＮ", "ａｄｍｉｎ\t", "\u{a0}admin"] {
            assert_eq!(UserName::parse(spelling).as_ref(), Some(&admin), "{spelling}");
        }
        assert_eq!(UserName::parse("Ame\u{301}lie"), UserName::parse("AMÉLIE"));
        assert_eq!(UserName::parse("ΣΊΣΥΦΟΣ"), UserName::parse("σίσυφοσ"));
        assert_ne!(UserName::parse("аdmin"), Some(admin), "a Cyrillic letter is another letter");
    }

    #[test]
    fn what_can_be_no_name_is_none() {
        for typed in ["", " ", "\u{3000}", "a\0b", "a\nb", &"a".repeat(257), &"é".repeat(2000)] {
            assert_eq!(UserName::parse(typed), None, "{typed:?}");
        }
    }
}

//! A user, and the canonical form of the user name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::crypto::octets;
use crate::identity::Claims;
use crate::secret::Secret;
use crate::user_pool::settings::UserSettings;

/// Maximum length of a user name, in bytes of the canonical form.
pub(crate) const USER_NAME_MAX_BYTES: usize = 256;

/// A user name in canonical form: trimmed, NFKC, lower case (attacks U-04).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UserName(String);

impl UserName {
    /// Parses the typed text. `None` if it is not a valid name (empty, too long, control characters).
    pub(crate) fn parse(typed: &str) -> Option<Self> {
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
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that no user can have.
    pub(crate) fn nobody() -> Self {
        Self(String::new())
    }
}

/// A user of the pool.
#[derive(Debug)]
pub(crate) struct User {
    name: UserName,
    subject: String,
    preferred_username: String,
    password_hash: Secret<String>,
    fingerprint: String,
    claims: Claims,
}

impl User {
    /// Creates a user of the configuration. `None` if the name is invalid; the configuration was validated before.
    pub(crate) fn new(settings: UserSettings) -> Option<Self> {
        let hash =
            octets::sha256(&[b"vestibule pool credential\0", settings.password_hash.expose().as_bytes()].concat());
        Some(Self {
            name: UserName::parse(&settings.username)?,
            subject: settings.subject,
            preferred_username: settings.username.trim().to_owned(),
            password_hash: settings.password_hash,
            fingerprint: URL_SAFE_NO_PAD.encode(&hash[..12]),
            claims: settings.claims,
        })
    }

    /// The user name in canonical form.
    pub(crate) fn name(&self) -> &UserName {
        &self.name
    }

    /// `sub`.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// The name as written in the configuration.
    pub(crate) fn preferred_username(&self) -> &str {
        &self.preferred_username
    }

    /// Argon2id, in PHC form.
    pub(crate) fn password_hash(&self) -> &Secret<String> {
        &self.password_hash
    }

    /// Changes with the password. Sessions and tokens with another fingerprint are no longer valid.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The claims of the user in the configuration.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
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

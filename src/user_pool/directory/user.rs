//! A user, and the one form of the name that is typed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::crypto::digest;
use crate::identity::Claims;
use crate::secret::Secret;
use crate::user_pool::settings::UserSettings;

/// Longest user name, in bytes of the form that we compare.
pub(crate) const USER_NAME_MAX_BYTES: usize = 256;

/// A user name in the form that is compared: trimmed, NFKC, lower case (attacks U-04).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UserName(String);

impl UserName {
    /// Reads what was typed; `None` where it can be no name (empty, too long, control characters).
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
        if typed.len() > 4 * USER_NAME_MAX_BYTES {
            return None;
        }
        let composed = NFKC.normalize(typed);
        // Character by character: `str::to_lowercase` looks at a final sigma's neighbours.
        let lower: String = composed.chars().flat_map(char::to_lowercase).collect();
        let name = NFKC.normalize(&lower).trim().to_owned();
        let is_name = !name.is_empty() && name.len() <= USER_NAME_MAX_BYTES && !name.contains(char::is_control);
        is_name.then_some(Self(name))
    }

    /// The form that is compared.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that nobody can have.
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
    /// A user of the configuration; `None` where the name is none, which the configuration's check has said before.
    pub(crate) fn new(settings: UserSettings) -> Option<Self> {
        let hash =
            digest::sha256(&[b"vestibule pool credential\0", settings.password_hash.expose().as_bytes()].concat());
        Some(Self {
            name: UserName::parse(&settings.username)?,
            subject: settings.subject,
            preferred_username: settings.username.trim().to_owned(),
            password_hash: settings.password_hash,
            fingerprint: URL_SAFE_NO_PAD.encode(&hash[..12]),
            claims: settings.claims,
        })
    }

    /// The name that is typed.
    pub(crate) fn name(&self) -> &UserName {
        &self.name
    }

    /// `sub`.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// The name as the configuration writes it.
    pub(crate) fn preferred_username(&self) -> &str {
        &self.preferred_username
    }

    /// Argon2id, in PHC form.
    pub(crate) fn password_hash(&self) -> &Secret<String> {
        &self.password_hash
    }

    /// Changes with the password; whatever was issued under another one has ended.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What the configuration says of the user.
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

//! What messages say, by language.

use std::sync::{Arc, LazyLock};

use crate::messages::message::{Brings, Kind, Medium};
use crate::messages::template::{self, Piece};
use crate::page::language;
use crate::page::translation::{self, Translation};

/// The languages that are compiled in. The first is the one for everybody whose language is not here.
static BUILT_IN: LazyLock<[Translation; 2]> = LazyLock::new(|| {
    [("en", include_str!("texts/en.yaml")), ("de", include_str!("texts/de.yaml"))].map(translation::compiled_in)
});

/// The languages that are compiled in, English first.
pub fn built_in() -> &'static [Translation] {
    &*BUILT_IN
}

/// Maximum length of a subject, of the text or HTML of a mail, and of an SMS, in characters; the shortest mail and SMS (pool §6.5).
const SUBJECT_MAX: usize = 140;
const MAIL_MAX: usize = 20_000;
const SMS_MAX: usize = 140;
const BODY_MIN: usize = 6;

/// The texts of a pool. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts(Arc<[Translation]>);

impl Default for Texts {
    fn default() -> Self {
        Self::new(built_in().to_vec())
    }
}

impl Texts {
    /// The first language is the default.
    pub fn new(translations: Vec<Translation>) -> Self {
        Self(translations.into())
    }

    /// The texts in the language of a tag, of a wider one, or of the default.
    pub(super) fn of(&self, tag: Option<&str>) -> &Translation {
        tag.and_then(|tag| language::wider(tag, &self.0)).unwrap_or(&self.0[0])
    }
}

/// The key of what a message of a kind says.
pub(super) fn key(kind: Kind, part: &str) -> String {
    format!("{}.{part}", kind.as_str())
}

/// Whether a file of an operator may have this key.
pub fn is_key(key: &str) -> bool {
    built_in()[0].find(key).is_some() || split(key).is_some_and(|(_, part)| part == "html")
}

fn split(key: &str) -> Option<(Kind, &str)> {
    let (kind, part) = key.split_once('.')?;
    Some((Kind::named(kind)?, part))
}

/// Why a text cannot be that of a key. `None`: it can.
pub fn wrong(key: &str, text: &str) -> Option<String> {
    let length = text.chars().count();
    let (min, max) = match split(key).map(|(_, part)| part) {
        Some("subject") | None => (1, SUBJECT_MAX),
        Some("sms") => (BODY_MIN, SMS_MAX),
        Some(_) => (BODY_MIN, MAIL_MAX),
    };
    if !(min..=max).contains(&length) || text.trim().is_empty() {
        return Some(format!("`{key}` must have {min} to {max} characters"));
    }
    let Some((kind, part)) = split(key) else {
        let is_lifetime = key.starts_with("lifetime.") && key.ends_with('s');
        let lacks = is_lifetime && !text.contains("{n}");
        return lacks.then(|| format!("`{key}` needs the placeholder {{n}}"));
    };
    if part == "subject" && text.contains(char::is_control) {
        return Some(format!("`{key}` must be one line"));
    }
    if let Some(name) = template::unknown(text) {
        return Some(format!(
            "there is no placeholder {{{name}}}; there are {{####}}, {{##words##}}, {{username}}, {{title}}, {{host}} and {{lifetime}}"
        ));
    }
    if part == "subject" { None } else { lacks(kind, key, text) }
}

/// What a message would be of no use without.
fn lacks(kind: Kind, key: &str, text: &str) -> Option<String> {
    let pieces = template::pieces(text);
    let has_secret = pieces.contains(&Piece::Secret);
    let has_link = pieces.iter().any(|piece| matches!(piece, Piece::Link(_)));
    let missing = match kind.brings() {
        Brings::Secret if !has_secret => "{####}",
        Brings::SecretOrLink if !has_secret && !has_link => "{####} or {##words##}",
        Brings::Nothing | Brings::Secret | Brings::SecretOrLink => return None,
    };
    Some(format!("`{key}` needs the placeholder {missing}: the message would be of no use without"))
}

/// The part of the keys that a medium needs.
pub(crate) const fn body_part(medium: Medium) -> &'static str {
    match medium {
        Medium::Email => "text",
        Medium::Sms => "sms",
    }
}

#[cfg(test)]
mod tests;

//! What the pages say in one language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::page::text::Text;

/// The texts of one language, by key. All languages have the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The language tag (RFC 5646), as in `lang` and `Content-Language`.
    tag: Box<str>,
    texts: BTreeMap<Box<str>, Box<str>>,
    /// The file of a language that is compiled in, with its comments. Empty for any other.
    file: &'static str,
}

/// The heading and the advice for a reason.
#[derive(Clone, Copy, Debug)]
pub struct ReasonTexts<'t> {
    /// What happened, in a few words.
    pub title: &'t str,
    /// Explains the reason to the user, and what to do.
    pub advice: &'t str,
}

/// The languages that are compiled in. The first is the one for everybody whose language is not here.
static BUILT_IN: LazyLock<[Translation; 2]> =
    LazyLock::new(|| [("en", include_str!("texts/en.yaml")), ("de", include_str!("texts/de.yaml"))].map(compiled_in));

/// The languages that are compiled in, English first.
pub fn built_in() -> &'static [Translation] {
    &*BUILT_IN
}

/// The English texts, which answers to programs have in any case.
pub fn english() -> &'static Translation {
    &BUILT_IN[0]
}

impl Translation {
    /// A translation with these texts.
    pub fn new(tag: &str, texts: BTreeMap<Box<str>, Box<str>>) -> Self {
        Self { tag: tag.into(), texts, file: "" }
    }

    /// The same texts for another language tag, as a start for the texts of a region.
    pub fn for_tag(&self, tag: &str) -> Self {
        Self::new(tag, self.texts.clone())
    }

    /// The file of a language that is compiled in: a line of YAML for each text, and comments. Empty for any other language.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The language tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Every key, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.texts.keys().map(|key| &**key)
    }

    /// The text of a key. `None` if no page has such a text.
    pub fn find(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(|text| &**text)
    }

    /// Sets a text.
    pub fn set(&mut self, key: &str, text: &str) {
        self.texts.insert(key.into(), text.into());
    }

    /// A text, with its placeholders as written.
    pub fn text(&self, text: Text) -> &str {
        self.get(text.key())
    }

    /// The texts for the code of a reason.
    pub fn reason(&self, code: &str) -> ReasonTexts<'_> {
        ReasonTexts {
            title: self.get(&format!("reason.{code}.title")),
            advice: self.get(&format!("reason.{code}.advice")),
        }
    }

    /// A text. Tests check that every text and every reason has one. Without it, a page would show an empty place.
    fn get(&self, key: &str) -> &str {
        self.find(key).unwrap_or_default()
    }
}

/// Reads a file that is compiled in. Each line is empty, a comment, or a key and a text as in JSON. That is YAML too.
pub fn compiled_in((tag, file): (&str, &'static str)) -> Translation {
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let (key, text) = line.split_once(": ")?;
        Some((key.into(), serde_json::from_str(text).ok()?))
    };
    let texts = lines.map(|line| pair(line).expect("a test reads the files that are compiled in")).collect();
    Translation { file, ..Translation::new(tag, texts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::placeholder;

    #[test]
    fn every_language_has_every_text_with_the_same_placeholders() {
        let english = english();
        assert!(Text::ALL.iter().all(|text| english.find(text.key()).is_some()), "a text without English");
        let is_known = |key: &str| key.starts_with("reason.") || Text::ALL.iter().any(|text| text.key() == key);
        assert_eq!(
            english.keys().filter(|key| !is_known(key)).collect::<Vec<_>>(),
            [""; 0],
            "texts that nothing shows"
        );
        for other in &built_in()[1..] {
            assert_eq!(other.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>(), "{}", other.tag());
            for key in english.keys() {
                let (ours, theirs) = (english.get(key), other.get(key));
                assert!(!ours.is_empty() && !theirs.is_empty(), "{key}");
                assert_eq!(placeholder::names(ours), placeholder::names(theirs), "{}: {key}", other.tag());
            }
        }
    }
}

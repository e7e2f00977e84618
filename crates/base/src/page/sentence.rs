//! Texts with placeholders: `Try again in {wait}.`

use crate::page::link;
use crate::page::placeholder::{Segment, segments};
use crate::page::text::Text;
use crate::page::translation::{self, Translation};

/// A text and the values for its placeholders. It is put into words in the language of the visitor.
#[derive(Clone, Debug)]
pub struct Sentence {
    form: Form,
    values: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug)]
enum Form {
    Text(Text),
    /// The same in every language.
    Verbatim(String),
    /// Sentences with this word between them.
    Joined(Vec<Sentence>, Text),
}

#[derive(Clone, Debug)]
enum Value {
    /// Text from a user, a provider or the configuration. Pages emphasise it.
    Named(String),
    /// The same without emphasis.
    Quoted(String),
    /// The same, with a link if it is an address.
    Address(String),
    Number(u64),
    Sentence(Sentence),
}

/// A piece of a sentence in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) is_emphasised: bool,
    /// The address that it links to.
    pub(crate) href: Option<String>,
}

impl From<Text> for Sentence {
    fn from(text: Text) -> Self {
        Self { form: Form::Text(text), values: Vec::new() }
    }
}

impl Sentence {
    /// A duration in words: seconds up to a minute and a half, then minutes.
    pub fn duration(seconds: u64) -> Self {
        match seconds {
            0 | 1 => Text::WaitSecond.into(),
            2..=90 => Self::from(Text::WaitSeconds).number("count", seconds),
            _ => Self::from(Text::WaitMinutes).number("count", seconds.div_ceil(60)),
        }
    }

    /// Words that are the same in every language.
    pub fn verbatim(words: impl Into<String>) -> Self {
        Self { form: Form::Verbatim(words.into()), values: Vec::new() }
    }

    /// Sentences with `word` between each two.
    pub fn joined(sentences: Vec<Self>, word: Text) -> Self {
        Self { form: Form::Joined(sentences, word), values: Vec::new() }
    }

    /// Adds a value from a user, a provider or the configuration. It is escaped and emphasised on a page.
    pub fn named(self, placeholder: &'static str, value: impl Into<String>) -> Self {
        self.with(placeholder, Value::Named(value.into()))
    }

    /// Adds a longer text of that kind. It is escaped.
    pub fn quoted(self, placeholder: &'static str, value: impl Into<String>) -> Self {
        self.with(placeholder, Value::Quoted(value.into()))
    }

    /// Adds a text of the configuration. On a page it is a link if it is an `https` URL or an e-mail address.
    pub fn address(self, placeholder: &'static str, value: impl Into<String>) -> Self {
        self.with(placeholder, Value::Address(value.into()))
    }

    /// Adds a number.
    pub fn number(self, placeholder: &'static str, value: u64) -> Self {
        self.with(placeholder, Value::Number(value))
    }

    /// Adds words of another text.
    pub fn words(self, placeholder: &'static str, value: Self) -> Self {
        self.with(placeholder, Value::Sentence(value))
    }

    fn with(mut self, placeholder: &'static str, value: Value) -> Self {
        self.values.push((placeholder, value));
        self
    }

    /// The sentence as plain text, in English, for programs.
    pub fn english(&self) -> String {
        self.plain(translation::english())
    }

    /// The sentence as plain text.
    pub fn plain(&self, translation: &Translation) -> String {
        self.parts(translation).into_iter().map(|part| part.text).collect()
    }

    /// The sentence in pieces. A placeholder without a value stays as it is written.
    pub(crate) fn parts(&self, translation: &Translation) -> Vec<Part> {
        let text = match &self.form {
            Form::Text(text) => translation.text(*text),
            Form::Verbatim(words) => return vec![Part::plain(words.clone())],
            Form::Joined(sentences, word) => {
                let sentences: Vec<_> = sentences.iter().map(|sentence| sentence.plain(translation)).collect();
                return vec![Part::plain(sentences.join(&format!(" {} ", translation.text(*word))))];
            }
        };
        let part = |segment| match segment {
            Segment::Words(words) => Part::plain(words.to_owned()),
            Segment::Placeholder(name) => match self.values.iter().find(|(known, _)| *known == name) {
                Some((_, Value::Named(value))) => Part { is_emphasised: true, ..Part::plain(value.clone()) },
                Some((_, Value::Quoted(value))) => Part::plain(value.clone()),
                Some((_, Value::Address(value))) => Part::address(value),
                Some((_, Value::Number(value))) => Part::plain(value.to_string()),
                Some((_, Value::Sentence(value))) => Part::plain(value.plain(translation)),
                None => Part::plain(format!("{{{name}}}")),
            },
        };
        segments(text).map(part).collect()
    }
}

impl Part {
    /// A text that is a link if it is an `https` URL or an e-mail address.
    pub(crate) fn address(text: &str) -> Self {
        Self { href: link::to(text), ..Self::plain(text.to_owned()) }
    }

    fn plain(text: String) -> Self {
        Self { text, is_emphasised: false, href: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_read_as_a_text() {
        let sentence = Sentence::from(Text::AccessSignedInAs).named("user", "{provider}").named("provider", "corp");
        assert_eq!(sentence.english(), "You are signed in as {provider} with corp.");
    }

    #[test]
    fn waits_are_told_in_words() {
        let check = |seconds, english: &str, german: &str| {
            let sentence = Sentence::from(Text::SignInTooManyAttempts).words("wait", Sentence::duration(seconds));
            assert_eq!(sentence.english(), format!("Too many attempts. Try again in {english}."));
            let [_, german_texts] = translation::built_in() else { panic!("two languages") };
            assert!(sentence.plain(german_texts).contains(&format!(" in {german} ")), "{german}");
        };
        check(0, "a second", "einer Sekunde");
        check(30, "30 seconds", "30 Sekunden");
        check(90, "90 seconds", "90 Sekunden");
        check(91, "2 minutes", "2 Minuten");
    }
}

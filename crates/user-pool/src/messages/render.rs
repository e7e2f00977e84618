//! Makes the texts of a message.

use std::time::Duration;

use crate::messages::courier;
use crate::messages::frame::Frame;
use crate::messages::message::{Kind, Medium};
use crate::messages::template::{Piece, pieces};
use crate::messages::texts::{self, Texts};
use crate::page::translation::Translation;
use crate::secret::Secret;

/// What the [`Frame`] contains that has no colours of its own.
const LINK: &str = include_str!("mail/link.html");
const PARAGRAPH: &str = include_str!("mail/paragraph.html");

/// Letters of a user name that are shown.
const USERNAME_MAX: usize = 64;

/// What a message is about: the values of its placeholders.
#[derive(Debug)]
pub(crate) struct Values<'v> {
    pub(crate) username: &'v str,
    pub(crate) secret: Option<&'v str>,
    pub(crate) link: Option<&'v str>,
    /// From the writing of the message on.
    pub(crate) lifetime: Duration,
    pub(crate) title: &'v str,
    pub(crate) host: &'v str,
    /// Of the HTML of a mail.
    pub(crate) frame: &'v Frame,
}

impl Texts {
    /// The texts of a message, in the language of this tag if there are any in it.
    pub(crate) fn render(
        &self,
        kind: Kind,
        medium: Medium,
        language: Option<&str>,
        values: &Values<'_>,
    ) -> courier::Texts {
        let texts = self.of(language);
        let username = one_line(values.username, USERNAME_MAX);
        let filled = Filled { username: &username, lifetime: lifetime(texts, values.lifetime), values };
        let template = |part| texts.find(&texts::key(kind, part));
        let body = template(texts::body_part(medium)).unwrap_or_default();
        if medium == Medium::Sms {
            return courier::Texts::Sms(Secret::new(filled.text(body)));
        }
        let subject = one_line(&filled.text(template("subject").unwrap_or_default()), usize::MAX);
        let footer = filled.text(texts.find("footer").unwrap_or_default());
        let html = match template("html") {
            Some(own) => filled.inline(&pieces(own), |words| words.to_owned()),
            None => filled.laid_out(texts.tag(), &subject, body, &footer),
        };
        let text = format!("{}\n\n-- \n{footer}\n", filled.text(body));
        courier::Texts::Email { subject: Secret::new(subject), text: Secret::new(text), html: Secret::new(html) }
    }
}

/// The values of one message.
struct Filled<'f> {
    username: &'f str,
    lifetime: String,
    values: &'f Values<'f>,
}

impl Filled<'_> {
    /// As plain text.
    fn text(&self, template: &str) -> String {
        let lines = self.lines(template);
        let filled = |line: &&str| pieces(line).iter().map(|piece| self.plain(piece)).collect::<String>();
        let lines: Vec<String> = lines.iter().map(filled).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The lines that can be filled, without empty lines that follow each other.
    fn lines<'t>(&self, template: &'t str) -> Vec<&'t str> {
        let mut lines: Vec<&str> = Vec::new();
        for line in template.lines().filter(|line| self.has_all(line)) {
            if !line.trim().is_empty() || lines.last().is_some_and(|last| !last.trim().is_empty()) {
                lines.push(line);
            }
        }
        lines
    }

    fn has_all(&self, line: &str) -> bool {
        pieces(line).iter().all(|piece| match piece {
            Piece::Secret => self.values.secret.is_some(),
            Piece::Link(_) => self.values.link.is_some(),
            _ => true,
        })
    }

    fn plain(&self, piece: &Piece<'_>) -> String {
        let Values { secret, link, title, host, .. } = self.values;
        match piece {
            Piece::Words(words) => (*words).to_owned(),
            Piece::Secret => secret.unwrap_or_default().to_owned(),
            Piece::Link(words) => format!("{words}: {}", link.unwrap_or_default()),
            Piece::Username => self.username.to_owned(),
            Piece::Title => (*title).to_owned(),
            Piece::Host => (*host).to_owned(),
            Piece::Lifetime => self.lifetime.clone(),
        }
    }

    /// As HTML. `words` makes HTML of the words of the template.
    fn inline(&self, pieces: &[Piece<'_>], words: impl Fn(&str) -> String) -> String {
        let filled = pieces.iter().map(|piece| match piece {
            Piece::Words(text) => words(text),
            Piece::Link(text) => match self.values.link {
                Some(link) => fill(LINK, &[("{href}", escaped(link)), ("{words}", words(text))]),
                None => String::new(),
            },
            other => escaped(&self.plain(other)),
        });
        filled.collect()
    }

    /// In our layout: a code and a link that are a paragraph of their own are large.
    fn laid_out(&self, language: &str, subject: &str, body: &str, footer: &str) -> String {
        let lines = self.lines(body);
        let paragraphs = lines.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
        let body: String = paragraphs.map(|lines| self.paragraph(&lines.join("\n"))).collect();
        let title = escaped(self.values.title);
        let head = match &self.values.frame.logo {
            Some(logo) => fill(logo, &[("{title}", title)]),
            None => title,
        };
        let parts = [
            ("{lang}", escaped(language)),
            ("{subject}", escaped(subject)),
            ("{head}", head),
            ("{footer}", escaped(footer)),
            ("{body}", body),
        ];
        fill(&self.values.frame.layout, &parts)
    }

    fn paragraph(&self, text: &str) -> String {
        let pieces = pieces(text.trim());
        let inner = self.inline(&pieces, |words| escaped(words).replace('\n', "<br>"));
        match (pieces.as_slice(), self.values.link) {
            ([Piece::Secret], _) => fill(&self.values.frame.code, &[("{inner}", inner)]),
            ([Piece::Link(words)], Some(link)) => {
                fill(&self.values.frame.button, &[("{href}", escaped(link)), ("{words}", escaped(words))])
            }
            _ => fill(PARAGRAPH, &[("{inner}", inner)]),
        }
    }
}

/// Puts each part in from the left, so that no value is taken for a part.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((at, name, value)) =
        parts.iter().filter_map(|(name, value)| Some((rest.find(name)?, name, value))).min_by_key(|(at, ..)| *at)
    {
        filled.push_str(&rest[..at]);
        filled.push_str(value);
        rest = &rest[at + name.len()..];
    }
    filled + rest
}

/// A duration in words, rounded: it is read a while after the message was written.
fn lifetime(texts: &Translation, lifetime: Duration) -> String {
    let minutes = (lifetime.as_secs() + 30) / 60;
    let (key, n) = match minutes {
        0 | 1 => ("lifetime.minute", 1),
        60 => ("lifetime.hour", 1),
        minutes if minutes < 120 => ("lifetime.minutes", minutes),
        minutes if minutes < 48 * 60 => ("lifetime.hours", minutes / 60),
        minutes => ("lifetime.days", minutes / (24 * 60)),
    };
    texts.find(key).unwrap_or_default().replace("{n}", &n.to_string())
}

/// A value that somebody else has chosen, without line breaks and other control characters.
fn one_line(text: &str, max: usize) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(max).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;

//! Cuts a stylesheet into tokens: a part of CSS Syntax Level 3 §4 that browsers, old ones too, read in one way.
//!
//! What a browser could read differently is refused instead of repaired: a backslash (so `\75rl(` is nobody's `url(`), `<`, control characters,
//! characters outside ASCII except in comments and strings, and whatever is not closed.

use crate::page::css::problem::Problem;

/// A token, and the line on which it begins, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) line: u32,
}

/// A kind of token, with its text as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Ident(&'t str),
    /// The name before the parenthesis, which belongs to the token.
    Function(&'t str),
    /// Without the `@`.
    At(&'t str),
    /// Without the `#`.
    Hash(&'t str),
    /// Without its quotes.
    Text(&'t str),
    /// What is between the parentheses of `url()`, without quotes.
    Url(&'t str),
    /// A number with its unit or `%`.
    Number(&'t str),
    Space,
    /// Separates two tokens, and is no space.
    Comment,
    /// Any other character.
    Mark(char),
}

/// Longest token. A picture in a `data:` URL is the longest of all, and is bounded by the file.
const NAME_MAX: usize = 128;

/// Cuts `text` into tokens.
///
/// # Errors
///
/// The first place that cannot be read.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut rest = Rest { text, line: 1 };
    let mut tokens = Vec::new();
    while !rest.text.is_empty() {
        let line = rest.line;
        let kind = rest.next()?;
        tokens.push(Token { kind, line });
    }
    Ok(tokens)
}

/// What is not read yet.
struct Rest<'t> {
    text: &'t str,
    line: u32,
}

impl<'t> Rest<'t> {
    fn next(&mut self) -> Result<Kind<'t>, Problem> {
        let first = self.text.chars().next().unwrap_or_default();
        match first {
            ' ' | '\t' | '\n' | '\r' => {
                self.take(|character| matches!(character, ' ' | '\t' | '\n' | '\r'));
                Ok(Kind::Space)
            }
            '/' if self.text.starts_with("/*") => {
                let end = self.text.find("*/").filter(|end| *end >= 2).or_else(|| {
                    // `/*/` does not end the comment that it begins.
                    self.text[2..].find("*/").map(|end| end + 2)
                });
                let end = end.ok_or_else(|| self.problem("this comment is not closed"))?;
                self.advance(end + 2);
                Ok(Kind::Comment)
            }
            '"' | '\'' => self.string().map(Kind::Text),
            '#' => {
                self.advance(1);
                let name = self.take(is_name);
                self.named(name, "a name or a colour is missing after `#`").map(Kind::Hash)
            }
            '@' => {
                self.advance(1);
                let name = self.take(is_name);
                self.named(name, "a name is missing after `@`").map(Kind::At)
            }
            _ if self.begins_number() => self.number().map(Kind::Number),
            _ if self.begins_ident() => self.ident(),
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | ';' | ',' | '.' | '>' | '+' | '~' | '*' | '/' | '!' | '=' => {
                self.advance(1);
                Ok(Kind::Mark(first))
            }
            '\\' => Err(self.problem("a backslash is not possible: write the character itself")),
            _ => Err(self.problem(&format!("{first:?} is not possible here"))),
        }
    }

    fn problem(&self, message: &str) -> Problem {
        Problem { line: self.line, message: message.to_owned() }
    }

    fn advance(&mut self, bytes: usize) {
        let (read, rest) = self.text.split_at(bytes);
        let lines = read.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.text = rest;
    }

    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let end = self.text.find(|character| !is_part(character)).unwrap_or(self.text.len());
        let taken = &self.text[..end];
        self.advance(end);
        taken
    }

    fn named(&self, name: &'t str, missing: &str) -> Result<&'t str, Problem> {
        match name.len() {
            0 => Err(self.problem(missing)),
            1..=NAME_MAX => Ok(name),
            _ => Err(self.problem("this name is too long")),
        }
    }

    /// `+`, `-` and `.` begin a number if a digit follows (CSS Syntax 3 §4.3.10).
    fn begins_number(&self) -> bool {
        let unsigned = self.text.strip_prefix(['+', '-']).unwrap_or(self.text);
        unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|character: char| character.is_ascii_digit())
    }

    fn begins_ident(&self) -> bool {
        let is_start = |character: char| character.is_ascii_alphabetic() || character == '_';
        self.text.strip_prefix('-').map_or_else(
            || self.text.starts_with(is_start),
            |rest| rest.starts_with(|character| is_start(character) || character == '-'),
        )
    }

    fn number(&mut self) -> Result<&'t str, Problem> {
        let text = self.text;
        let is_digit = |character: char| character.is_ascii_digit();
        if self.text.starts_with(['+', '-']) {
            self.advance(1);
        }
        self.take(is_digit);
        if self.text.strip_prefix('.').is_some_and(|rest| rest.starts_with(is_digit)) {
            self.advance(1);
            self.take(is_digit);
        }
        // An exponent is read as a unit, which makes no difference, because the text is kept.
        if self.text.starts_with('%') {
            self.advance(1);
        } else {
            self.take(is_name);
        }
        let number = &text[..text.len() - self.text.len()];
        self.named(number, "")
    }

    fn ident(&mut self) -> Result<Kind<'t>, Problem> {
        let name = self.take(is_name);
        let name = self.named(name, "")?;
        if !self.text.starts_with('(') {
            return Ok(Kind::Ident(name));
        }
        self.advance(1);
        if !name.eq_ignore_ascii_case("url") {
            return Ok(Kind::Function(name));
        }
        let is_space = |character| matches!(character, ' ' | '\t' | '\n' | '\r');
        self.take(is_space);
        let inside = if self.text.starts_with(['"', '\'']) {
            self.string()?
        } else {
            self.take(|character| character.is_ascii_alphanumeric() || ":;,+/=.-_".contains(character))
        };
        self.take(is_space);
        if !self.text.starts_with(')') {
            return Err(self.problem("this `url()` cannot be read"));
        }
        self.advance(1);
        Ok(Kind::Url(inside))
    }

    fn string(&mut self) -> Result<&'t str, Problem> {
        let quote = self.text.chars().next().unwrap_or_default();
        let inside = &self.text[1..];
        let end = inside.find([quote, '\n', '\r', '\\', '\u{c}']).filter(|end| inside[*end..].starts_with(quote));
        let end = end.ok_or_else(|| self.problem("this string is not closed on its line, or has a backslash"))?;
        self.advance(end + 2);
        Ok(&inside[..end])
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

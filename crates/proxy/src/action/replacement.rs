//! What takes the place of the match of a transform: text with `$1`, `${1}` and `$$`.
//!
//! A replacement can move what a client sent from the path into the query, or from the query into the path. There it could mean
//! something else: a client that sends `/item/1&admin=1` would add a parameter to `/item?id=$1`. So characters that would mean something
//! else are percent-encoded at the new place.

use std::ops::Range;

/// A replacement, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// The text of a group of the expression. 0 is the whole match.
    Group(usize),
}

/// Why a text is no replacement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `$` without a group behind it.
    #[error("`$` must be followed by a digit, by a number in braces, or by another `$`")]
    Dollar,
    /// A group that the expression does not have.
    #[error("there is no group {0}: the regular expression has {1}")]
    NoSuchGroup(usize, usize),
}

impl Replacement {
    /// Parses a replacement for an expression with `groups` groups. `$1` to `$9` have one digit: `$12` is group 1 and then `2`. `${12}` is
    /// group 12, `$0` the whole match, `$$` a dollar.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub fn parse(text: &str, groups: usize) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (number, after) = match after.strip_prefix('{') {
                Some(braced) => braced.split_once('}').ok_or(Error::Dollar)?,
                None => after.split_at_checked(1).ok_or(Error::Dollar)?,
            };
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let group = number.parse().ok().filter(|_| is_number).ok_or(Error::Dollar)?;
            if group > groups {
                return Err(Error::NoSuchGroup(group, groups));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Group(group));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The literal parts.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Group(_) => None,
        })
    }

    /// The literal text at the begin. `None` if a group is there.
    pub fn first_literal(&self) -> Option<&str> {
        match self.0.first() {
            None => Some(""),
            Some(Piece::Literal(text)) => Some(text),
            Some(Piece::Group(_)) => None,
        }
    }

    /// Writes the replacement. `group` says where the text of a group is; a group that took no part is empty.
    pub(super) fn write(&self, out: &mut Out<'_>, group: impl Fn(usize) -> Option<Range<usize>>) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.literal(text),
                Piece::Group(number) => out.copy(group(*number).unwrap_or(0..0)),
            }
        }
    }
}

/// Maximum length of a result in bytes. A replacement can repeat what a client sent.
const RESULT_BYTES_MAX: usize = 32 * 1024;

/// The result is too long, or no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusable;

/// The result of a replacement, as it is written.
pub(super) struct Out<'i> {
    input: &'i str,
    /// Where the `?` of the input is.
    mark: usize,
    bytes: Vec<u8>,
    is_in_query: bool,
}

impl<'i> Out<'i> {
    /// `mark` is where the `?` is, if `input` is an address with one.
    pub(super) fn new(input: &'i str, mark: Option<usize>) -> Self {
        let bytes = Vec::with_capacity(input.len());
        Self { input, mark: mark.unwrap_or(input.len()), bytes, is_in_query: false }
    }

    /// Writes text of the configuration.
    fn literal(&mut self, text: &str) {
        if !self.is_full() {
            self.is_in_query |= text.contains('?');
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Writes a part of the input, so that it means the same at its new place.
    pub(super) fn copy(&mut self, range: Range<usize>) {
        if self.is_full() {
            return;
        }
        for (at, byte) in range.clone().zip(self.input.as_bytes()[range].iter().copied()) {
            let is_special = if self.is_in_query {
                // From the path: these would separate parameters, or be a blank.
                at < self.mark && matches!(byte, b'&' | b';' | b'+')
            } else {
                // From the query: these would end the path, or begin parameters of the path.
                at > self.mark && matches!(byte, b'?' | b';')
            };
            if is_special {
                self.bytes.extend_from_slice(match byte {
                    b'&' => b"%26",
                    b';' => b"%3B",
                    b'+' => b"%2B",
                    _ => b"%3F",
                });
            } else {
                self.is_in_query |= at == self.mark;
                self.bytes.push(byte);
            }
        }
    }

    /// Each write is at most as long as the input, so the check before it is enough.
    fn is_full(&self) -> bool {
        self.bytes.len() > RESULT_BYTES_MAX
    }

    pub(super) fn finish(self) -> Result<String, Unusable> {
        if self.is_full() {
            return Err(Unusable);
        }
        String::from_utf8(self.bytes).map_err(|_| Unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_one_digit_or_braces() {
        let parsed = |text: &str| Replacement::parse(text, 12).map(|Replacement(pieces)| pieces);
        let (literal, group) = (|text: &str| Piece::Literal(text.to_owned()), Piece::Group);
        assert_eq!(parsed("/a"), Ok(vec![literal("/a")]));
        assert_eq!(parsed("$1a"), Ok(vec![group(1), literal("a")]));
        assert_eq!(parsed("$12"), Ok(vec![group(1), literal("2")]));
        assert_eq!(parsed("/${12}/$0$$1"), Ok(vec![literal("/"), group(12), literal("/"), group(0), literal("$1")]));
        assert_eq!(parsed(""), Ok(Vec::new()));
        for text in ["$", "a$", "$a", "${1", "${}", "${a}", "${+1}", "$é", "${-1}", "${99999999999999999999}"] {
            assert_eq!(parsed(text), Err(Error::Dollar), "{text}");
        }
        assert_eq!(parsed("${13}"), Err(Error::NoSuchGroup(13, 12)));
        assert_eq!(Replacement::parse("$1", 0), Err(Error::NoSuchGroup(1, 0)));
    }
}

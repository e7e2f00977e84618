//! Reads and writes `application/x-www-form-urlencoded` (WHATWG URL §5), in queries and in small bodies.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Maximum number of fields of a form or query.
const FIELDS_MAX: usize = 100;

/// The fields in the order of the input. A name may come twice; [`one`](Self::one) refuses that.
#[derive(Debug, Default)]
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a form was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that must be unique came more than once. Vestibule does not choose one of them (attacks C-06).
    #[error("a field came more than once")]
    Repeated,
    /// More than 100 fields.
    #[error("too many fields")]
    TooMany,
}

impl<'a> Form<'a> {
    /// Reads a query or a form body.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub fn parse(input: &'a [u8]) -> Result<Self, Error> {
        let fields: Vec<_> = url::form_urlencoded::parse(input).take(FIELDS_MAX + 1).collect();
        if fields.len() > FIELDS_MAX { Err(Error::TooMany) } else { Ok(Self(fields)) }
    }

    /// The only field with the name `name`. `None` if there is no such field.
    ///
    /// # Errors
    ///
    /// [`Error::Repeated`] if there is more than one.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut named = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Error::Repeated),
            (first, None) => Ok(first),
        }
    }
}

/// The ASCII characters that are not unreserved in RFC 3986 §2.3.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'!')
    .add(b'"')
    .add(b'#')
    .add(b'$')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b'+')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Writes `name=value&…` in the style of RFC 3986: a space is `%20` and never `+` (ALB §2.2).
pub fn encode<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(utf8_percent_encode(name, ENCODED));
        out.push('=');
        out.extend(utf8_percent_encode(value, ENCODED));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_field_is_not_chosen_from() {
        let form = Form::parse(b"code=a&code=b&state=s").expect("few fields");
        assert_eq!(form.one("code"), Err(Error::Repeated));
        assert_eq!(form.one("state"), Ok(Some("s")));
        assert_eq!(form.one("iss"), Ok(None));
    }

    #[test]
    fn too_many_fields_are_refused() {
        assert_eq!(Form::parse("a&".repeat(101).as_bytes()).err(), Some(Error::TooMany));
    }

    #[test]
    fn encoding_is_percent_only() {
        assert_eq!(
            encode([("scope", "openid e-mail"), ("u", "https://a/?b")]),
            "scope=openid%20e-mail&u=https%3A%2F%2Fa%2F%3Fb"
        );
    }
}

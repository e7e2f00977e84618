//! The language in which users are searched (pool §2.5): `email ^= "ada"`.

use crate::directory::name::UserName;
use crate::directory::status::Status;

/// Maximum number of characters of a filter.
const FILTER_MAX: usize = 256;

/// Attributes that are in the table of the search.
pub(crate) const SEARCHED: [&str; 6] =
    ["email", "family_name", "given_name", "name", "phone_number", "preferred_username"];

/// Which users are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    #[default]
    All,
    /// By user name.
    Username(Match),
    /// By `sub`.
    Subject(Match),
    /// By an attribute of [`SEARCHED`].
    Attribute(&'static str, Match),
    /// By state.
    Status(Status),
    /// Whether they may sign in.
    Enabled(bool),
    /// No user can be like this.
    Nobody,
}

/// How a value is compared. Both are in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    Equals(String),
    Prefix(String),
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(r#"the filter is not understood: write `ATTRIBUTE = "VALUE"`, or `ATTRIBUTE ^= "START"`"#)]
    Form,
    #[error(
        "users are not searched by `{0}`, but by: username, sub, cognito:user_status, status, {list}",
        list = SEARCHED.join(", ")
    )]
    Attribute(String),
}

impl Filter {
    /// Reads a filter. An empty text is all users.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::All);
        }
        if text.chars().count() > FILTER_MAX {
            return Err(Fault::Form);
        }
        let end = text.find(|c: char| c.is_whitespace() || c == '=' || c == '^').ok_or(Fault::Form)?;
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let (is_prefix, quoted) = match (rest.strip_prefix("^="), rest.strip_prefix('=')) {
            (Some(quoted), _) => (true, quoted),
            (None, Some(quoted)) => (false, quoted),
            (None, None) => return Err(Fault::Form),
        };
        let value = unquoted(quoted.trim()).ok_or(Fault::Form)?;
        let how = if is_prefix { Match::Prefix } else { Match::Equals };
        let name = name.trim_matches('"');
        match name {
            "username" | "cognito:username" => Ok(Self::Username(how(canonical(&value)))),
            "sub" => Ok(Self::Subject(how(value))),
            "cognito:user_status" => Ok(status(&value, is_prefix)),
            "status" => Ok(enabled(&value, is_prefix)),
            _ => match SEARCHED.into_iter().find(|known| *known == name) {
                Some(name) => Ok(Self::Attribute(name, how(canonical(&value)))),
                None if name.is_empty() => Err(Fault::Form),
                None => Err(Fault::Attribute(name.to_owned())),
            },
        }
    }
}

/// What a value is compared as. White space at its ends counts for nothing, as in names.
pub(super) fn canonical(value: &str) -> String {
    UserName::parse(value).map(|name| name.as_str().to_owned()).unwrap_or_default()
}

/// The text between the quotation marks. `\"` and `\\` stand for themselves.
fn unquoted(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('"')?;
    let (mut text, mut characters) = (String::new(), inner.chars());
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            character => text.push(character),
        }
    }
    characters.next().is_none().then_some(text)
}

/// No two states begin with the same letter, so a prefix is one state, or all.
fn status(value: &str, is_prefix: bool) -> Filter {
    let value = value.to_ascii_uppercase();
    if is_prefix && value.is_empty() {
        return Filter::All;
    }
    let fits = |status: &Status| {
        let text = status.as_str();
        if is_prefix { text.starts_with(&value) } else { text == value }
    };
    Status::ALL.into_iter().find(fits).map_or(Filter::Nobody, Filter::Status)
}

fn enabled(value: &str, is_prefix: bool) -> Filter {
    if is_prefix && value.is_empty() {
        return Filter::All;
    }
    let fits = |text: &str| if is_prefix { text.starts_with(value) } else { text == value };
    match (fits("Enabled"), fits("Disabled")) {
        (true, _) => Filter::Enabled(true),
        (_, true) => Filter::Enabled(false),
        _ => Filter::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Filter) {
        assert_eq!(Filter::parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn filters_say_an_attribute_and_a_value() {
        let equals = |value: &str| Match::Equals(value.to_owned());
        let prefix = |value: &str| Match::Prefix(value.to_owned());
        check("", Filter::All);
        check(r#"email = "Ada@Example.com""#, Filter::Attribute("email", equals("ada@example.com")));
        check(r#"email^="ada""#, Filter::Attribute("email", prefix("ada")));
        check(r#" "given_name"  ^=  "A\"\\" "#, Filter::Attribute("given_name", prefix(r#"a"\"#)));
        check(r#"username = "ADA""#, Filter::Username(equals("ada")));
        check(r#"sub ^= "0F""#, Filter::Subject(prefix("0F")));
        check(r#"cognito:user_status = "confirmed""#, Filter::Status(Status::Confirmed));
        check(r#"cognito:user_status ^= "R""#, Filter::Status(Status::ResetRequired));
        check(r#"cognito:user_status = "gone""#, Filter::Nobody);
        check(r#"status = "Disabled""#, Filter::Enabled(false));
        check(r#"status ^= "E""#, Filter::Enabled(true));
        check(r#"status = "maybe""#, Filter::Nobody);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let long = format!(r#"email = "{}""#, "x".repeat(FILTER_MAX));
        for text in [
            "email",
            "email =",
            "email = ada",
            r#"email = "ada"#,
            r#"= "x""#,
            r#"email = "a" b"#,
            r#"email ~ "a""#,
            r#"email = "a\b""#,
            &long,
        ] {
            assert_eq!(Filter::parse(text), Err(Fault::Form), "{text}");
        }
        assert_eq!(Filter::parse(r#"custom:foo = "x""#), Err(Fault::Attribute("custom:foo".into())));
        assert_eq!(Filter::parse(r#"birthdate = "x""#), Err(Fault::Attribute("birthdate".into())));
    }
}

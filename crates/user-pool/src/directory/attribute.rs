//! The attributes of a stored user: texts by the names of OpenID Connect Core §5.1.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::identity::Claims;

/// Maximum number of characters of a value.
pub const VALUE_MAX: usize = 2048;

/// The attributes that every pool has.
pub const STANDARD: [&str; 19] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Attributes that say of another one that it was verified.
const VERDICTS: [(&str, &str); 2] = [("email", "email_verified"), ("phone_number", "phone_number_verified")];

/// Valid attributes of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<String, String>);

/// Why an attribute is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No pool has it.
    #[error("there is no attribute `{0}`; the attributes are: {list}", list = STANDARD.join(", "))]
    Unknown(String),
    /// The value is not of the form that its standard says.
    #[error("`{name}` is not {expected}")]
    Form { name: String, expected: &'static str },
    /// The value is not of the form that the configuration says.
    #[error("`{name}` is not {expected}")]
    Custom { name: String, expected: String },
    /// The attribute is set when the user is added, and stays.
    #[error("`{0}` cannot be changed")]
    Immutable(String),
}

impl Fault {
    /// The name of the attribute.
    pub(crate) fn attribute(&self) -> &str {
        match self {
            Self::Unknown(name) | Self::Immutable(name) | Self::Form { name, .. } | Self::Custom { name, .. } => name,
        }
    }
}

impl Attributes {
    /// Sets an attribute. An empty value removes it. An address that changes is not verified any more.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        if !STANDARD.contains(&name) {
            return Err(Fault::Unknown(name.to_owned()));
        }
        if value.is_empty() {
            self.replace(name, None);
            return Ok(());
        }
        let value = match name {
            "email_verified" | "phone_number_verified" => value.to_ascii_lowercase(),
            _ => value.to_owned(),
        };
        if let Some(expected) = unmet(name, &value) {
            return Err(Fault::Form { name: name.to_owned(), expected });
        }
        self.replace(name, Some(value));
        Ok(())
    }

    /// Sets an attribute of the configuration, which has checked the value. An empty value removes it.
    pub(super) fn set_custom(&mut self, name: &str, value: &str) {
        self.replace(name, (!value.is_empty()).then(|| value.to_owned()));
    }

    /// What was verified was the value of before: rules let users in by verified addresses.
    fn replace(&mut self, name: &str, value: Option<String>) {
        let before = match value.clone() {
            Some(value) => self.0.insert(name.to_owned(), value),
            None => self.0.remove(name),
        };
        if before != value
            && let Some((_, verdict)) = VERDICTS.iter().find(|(address, _)| *address == name)
        {
            self.0.remove(*verdict);
        }
    }

    /// Sets several, in an order in which each counts. What came before one that is refused is set.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn set_all<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    ) -> Result<(), Fault> {
        let changes = changes.into_iter();
        let is_verdict = |(name, _): &(&str, &str)| VERDICTS.iter().any(|(_, verdict)| verdict == name);
        let verdicts = changes.clone().filter(is_verdict);
        changes.filter(|change| !is_verdict(change)).chain(verdicts).try_for_each(|(name, value)| self.set(name, value))
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether an e-mail address or a phone number was verified.
    pub(crate) fn is_verified(&self, address: &str) -> bool {
        let verdict = VERDICTS.iter().find(|(name, _)| *name == address);
        verdict.is_some_and(|(_, verdict)| self.get(verdict) == Some("true"))
    }

    /// Says that an address was verified.
    pub(crate) fn verify(&mut self, address: &str) {
        if let Some((_, verdict)) = VERDICTS.iter().find(|(name, _)| *name == address) {
            self.0.insert((*verdict).to_owned(), "true".to_owned());
        }
    }

    /// Takes it back that an address was verified.
    pub(crate) fn unverify(&mut self, address: &str) {
        if let Some((_, verdict)) = VERDICTS.iter().find(|(name, _)| *name == address) {
            self.0.remove(*verdict);
        }
    }

    /// The addresses that are others in `after`, or are verified there and not here, or the other way round.
    pub(crate) fn changed_addresses<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = &'static str> + 'a {
        let is_other = |address: &str| {
            self.get(address) != after.get(address) || self.is_verified(address) != after.is_verified(address)
        };
        VERDICTS.into_iter().map(|(address, _)| address).filter(move |address| is_other(address))
    }

    /// All attributes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The JSON object in the database.
    pub(crate) fn to_json(&self) -> String {
        json!(self.0).to_string()
    }

    /// Reads a JSON object of the database. What an earlier release has accepted stays.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The attributes as claims of OpenID Connect Core §5.1, with the types that it says.
    pub(crate) fn claims(&self) -> Claims {
        let typed = |name: &str, value: &str| match name {
            "email_verified" | "phone_number_verified" => Value::from(value == "true"),
            "updated_at" => value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from),
            // §5.1.1
            "address" => json!({ "formatted": value }),
            _ => Value::from(value),
        };
        self.iter().map(|(name, value)| (name.to_owned(), typed(name, value))).collect()
    }
}

/// What a value should be and is not.
fn unmet(name: &str, value: &str) -> Option<&'static str> {
    if value.chars().count() > VALUE_MAX || value.chars().any(|character| character.is_control() && character != '\n') {
        return Some("a text of at most 2,048 characters");
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name {
        "email" if !is_email(value) => Some("an e-mail address"),
        // E.164
        "phone_number"
            if !value.strip_prefix('+').is_some_and(|rest| digits(rest) && (7..=15).contains(&rest.len())) =>
        {
            Some("a phone number such as +4930123456: a plus, the code of the country, digits only")
        }
        "birthdate" if !is_date(value) => Some("a date such as 1990-12-31"),
        "email_verified" | "phone_number_verified" if value != "true" && value != "false" => Some("`true` or `false`"),
        "updated_at" if !digits(value) => Some("a number of seconds since 1970"),
        _ => None,
    }
}

/// What can be an address of a mailbox (RFC 5321 §4.1.2), without quoted local parts and without address literals.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_local = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
        && !local.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    is_local && domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

/// `YYYY-MM-DD` (ISO 8601-1).
pub(super) fn is_date(text: &str) -> bool {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let separators = text.len() == 10 && text.is_ascii() && &text[4..5] == "-" && &text[7..8] == "-";
    let digits = text.bytes().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit());
    if !separators || !digits {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(5..7), part(8..10)) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Attributes, Fault> {
        let mut attributes = Attributes::default();
        attributes.set(name, value).map(|()| attributes)
    }

    #[track_caller]
    fn check(name: &str, good: &[&str], bad: &[&str]) {
        for value in good {
            assert!(set(name, value).is_ok(), "{name} {value}");
        }
        for value in bad {
            assert!(matches!(set(name, value), Err(Fault::Form { .. })), "{name} {value}");
        }
    }

    #[test]
    fn values_have_the_form_that_their_standards_say() {
        check(
            "email",
            &["ada@example.com", "a+b.c@mail.example.co.uk", "jürgen@münchen.example"],
            &[
                "ada",
                "@example.com",
                "ada@",
                "ada@localhost",
                "a b@example.com",
                ".a@example.com",
                "a..b@example.com",
                "a@-x.com",
                "a@x..com",
                "a@b@c,d",
            ],
        );
        check(
            "phone_number",
            &["+4930123456", "+14155550100"],
            &["4930123456", "+49 30 1", "+49-30-1", "+123", "+1234567890123456", "+"],
        );
        check(
            "birthdate",
            &["1990-12-31", "2000-02-29"],
            &["1990-13-01", "1990-02-29", "1900-02-29", "31.12.1990", "1990-1-1", "1990-00-10", "+990-01-01"],
        );
        check("email_verified", &["true", "False"], &["yes", "1"]);
        check("updated_at", &["1700000000"], &["now", "-1"]);
        check("name", &["Ada Lovelace", &"é".repeat(2048)], &[&"é".repeat(2049), "a\0b"]);
        assert_eq!(set("custom:x", "1"), Err(Fault::Unknown("custom:x".into())));
        assert_eq!(set("sub", "1"), Err(Fault::Unknown("sub".into())));
    }

    #[test]
    fn claims_have_the_types_of_openid_connect() {
        let mut attributes = Attributes::default();
        for (name, value) in
            [("email", "ada@example.com"), ("email_verified", "TRUE"), ("updated_at", "7"), ("address", "Here 1")]
        {
            attributes.set(name, value).expect("valid");
        }
        let expected = json!({"email": "ada@example.com", "email_verified": true, "updated_at": 7, "address": {"formatted": "Here 1"}});
        assert_eq!(Value::Object(attributes.claims().into_iter().collect()), expected);
        assert_eq!(Attributes::from_json(&attributes.to_json()), Some(attributes.clone()));
        attributes.set("email", "").expect("removed");
        assert_eq!(attributes.get("email"), None);
    }

    #[test]
    fn an_address_has_changed_if_it_is_another_one_or_its_verdict_is() {
        let of = |attributes: &[(&'static str, &'static str)]| {
            let mut all = Attributes::default();
            all.set_all(attributes.iter().copied()).expect("valid");
            all
        };
        let before = of(&[("email", "ada@example.com"), ("email_verified", "true"), ("name", "Ada")]);
        for (after, changed) in [
            (before.clone(), &[][..]),
            (of(&[("email", "ada@example.com"), ("email_verified", "true"), ("name", "A")]), &[]),
            (of(&[("email", "ada@example.com"), ("email_verified", "false")]), &["email"]),
            (of(&[("email", "a@example.com"), ("email_verified", "true")]), &["email"]),
            (of(&[("phone_number", "+4930123456")]), &["email", "phone_number"]),
        ] {
            assert_eq!(before.changed_addresses(&after).collect::<Vec<_>>(), changed, "{after:?}");
            assert_eq!(after.changed_addresses(&before).collect::<Vec<_>>(), changed, "{after:?}");
        }
    }

    #[test]
    fn an_address_that_changes_is_not_verified_any_more() {
        for (name, verified, one, other) in [
            ("email", "email_verified", "ada@example.com", "eve@example.com"),
            ("phone_number", "phone_number_verified", "+4930123456", "+4930123457"),
        ] {
            for changed in [other, ""] {
                let mut attributes = Attributes::default();
                attributes.set_all([(verified, "true"), (name, one)]).expect("in any order");
                assert_eq!(attributes.get(verified), Some("true"));
                attributes.set(name, one).expect("the same");
                assert_eq!(attributes.get(verified), Some("true"), "nothing has changed");
                attributes.set(name, changed).expect("valid");
                assert_eq!(attributes.get(verified), None, "{name} {changed:?}");
            }
        }
    }
}

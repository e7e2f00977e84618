//! Attributes that a pool has besides the standard ones (pool §2.1).

use crate::directory::attribute::{Attributes, Fault, VALUE_MAX, is_date};
use crate::directory::settings::{Custom, Form, Settings};

/// What the names of such attributes begin with, in the database and in tokens.
pub const PREFIX: &str = "custom:";
/// Maximum number of them.
pub const CUSTOM_MAX: usize = 50;
/// Maximum number of characters of a name, without the prefix.
pub const NAME_MAX: usize = 20;

impl Form {
    /// What the value should be and is not.
    fn unmet(&self, value: &str) -> Option<String> {
        let is_text = !value.chars().any(|character| character.is_control() && character != '\n');
        match *self {
            Self::Text { min, max } => {
                let length = value.chars().count();
                (!is_text || !(min..=max.min(VALUE_MAX)).contains(&length))
                    .then(|| format!("a text of {min} to {max} characters"))
            }
            Self::Number { min, max } => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let number = value.parse::<i64>().ok().filter(|number| is_number && (min..=max).contains(number));
                number.is_none().then(|| format!("a whole number of {min} to {max}"))
            }
            Self::Boolean => (value != "true" && value != "false").then(|| "`true` or `false`".to_owned()),
            Self::DateTime => (!is_time(value)).then(|| "a time such as 2030-01-31T12:00:00Z".to_owned()),
        }
    }
}

/// RFC 3339, in whole seconds and UTC.
fn is_time(value: &str) -> bool {
    let Some((date, time)) = value.strip_suffix('Z').and_then(|value| value.split_once('T')) else { return false };
    let part = |at: usize, max: u32| {
        let digits = time.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|number| number <= max)
    };
    let has_form = time.len() == 8 && time.get(2..3) == Some(":") && time.get(5..6) == Some(":");
    is_date(date) && has_form && part(0, 23) && part(3, 59) && part(6, 59)
}

impl Settings {
    /// The attributes of a new user.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn create<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    ) -> Result<Attributes, Fault> {
        let mut attributes = Attributes::default();
        self.set(&mut attributes, given, |_| true)?;
        Ok(attributes)
    }

    /// Changes attributes of a user. An empty value removes one. If one is refused, others may have changed.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn change<'a>(
        &self,
        attributes: &mut Attributes,
        changes: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    ) -> Result<(), Fault> {
        self.set(attributes, changes, |custom| custom.is_mutable)
    }

    fn set<'a>(
        &self,
        attributes: &mut Attributes,
        changes: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
        may_change: impl Fn(&Custom) -> bool,
    ) -> Result<(), Fault> {
        let changes = changes.into_iter();
        for (name, value) in changes.clone().filter(|(name, _)| name.starts_with(PREFIX)) {
            let Some(custom) = self.custom.get(name) else { return Err(Fault::Unknown(name.to_owned())) };
            if attributes.get(name).unwrap_or_default() == value {
                continue;
            }
            if !may_change(custom) {
                return Err(Fault::Immutable(name.to_owned()));
            }
            if !value.is_empty()
                && let Some(expected) = custom.form.unmet(value)
            {
                return Err(Fault::Custom { name: name.to_owned(), expected });
            }
            attributes.set_custom(name, value);
        }
        attributes.set_all(changes.filter(|(name, _)| !name.starts_with(PREFIX)))
    }

    /// Gives a user attributes that are missing, also those that do not change afterwards.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn complete<'a>(
        &self,
        attributes: &mut Attributes,
        missing: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: Clone>,
    ) -> Result<(), Fault> {
        self.set(attributes, missing, |_| true)
    }

    /// The required attributes that are not there.
    pub(crate) fn missing<'s>(&'s self, attributes: &Attributes) -> Vec<&'s str> {
        self.required.iter().map(String::as_str).filter(|name| attributes.get(name).is_none()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(form: Form, is_mutable: bool) -> Settings {
        let custom = [("custom:it".to_owned(), Custom { form, is_mutable })].into();
        Settings { custom, required: vec!["email".into(), "custom:it".into()], ..Settings::default() }
    }

    #[track_caller]
    fn check(form: Form, good: &[&str], bad: &[&str]) {
        let settings = settings(form, true);
        for value in good {
            let made = settings.create([("custom:it", *value)]).expect("good");
            assert_eq!(made.get("custom:it"), Some(*value));
            assert_eq!(
                made.claims().get("custom:it").and_then(|claim| claim.as_str()),
                Some(*value),
                "a text in tokens"
            );
        }
        for value in bad {
            assert!(matches!(settings.create([("custom:it", *value)]), Err(Fault::Custom { .. })), "{value}");
        }
    }

    #[test]
    fn values_have_the_declared_form() {
        check(Form::Text { min: 2, max: 4 }, &["ab", "äöüß"], &["a", "abcde", "a\0b"]);
        check(
            Form::Number { min: -5, max: 50 },
            &["-5", "0", "50"],
            &["-6", "51", "1.5", "+1", "x", "-", "99999999999999999999"],
        );
        check(Form::Boolean, &["true", "false"], &["True", "1", "yes"]);
        check(Form::DateTime, &["2030-01-31T12:00:00Z"], &["2030-01-31", "2030-02-31T12:00:00Z", "now"]);
    }

    #[test]
    fn what_is_not_mutable_is_set_once() {
        let settings = settings(Form::Text { min: 0, max: 9 }, false);
        let mut made = settings.create([("custom:it", "one"), ("email", "ada@example.com")]).expect("made");
        settings.change(&mut made, [("custom:it", "one"), ("name", "Ada")]).expect("it stays");
        for value in ["two", ""] {
            let refused = settings.change(&mut made, [("custom:it", value)]);
            assert_eq!(refused, Err(Fault::Immutable("custom:it".into())));
        }
        assert_eq!(settings.create([("custom:other", "x")]), Err(Fault::Unknown("custom:other".into())));
        assert_eq!(
            made.set_all([("custom:it", "two")]),
            Err(Fault::Unknown("custom:it".into())),
            "not past the settings"
        );
    }

    #[test]
    fn required_attributes_that_are_missing_are_named() {
        let settings = settings(Form::Boolean, true);
        let with = |given: &[(&'static str, &'static str)]| settings.create(given.iter().copied()).expect("good");
        assert_eq!(settings.missing(&with(&[])), ["email", "custom:it"]);
        assert_eq!(settings.missing(&with(&[("email", "ada@example.com")])), ["custom:it"]);
        assert!(settings.missing(&with(&[("email", "ada@example.com"), ("custom:it", "true")])).is_empty());
    }
}

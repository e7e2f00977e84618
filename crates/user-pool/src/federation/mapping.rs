//! Which claims of a provider become which attributes of its users (pool §10.5). Applied at each sign-in.

use serde_json::Value;

use crate::directory::attribute::Attributes;
use crate::directory::settings::Settings;
use crate::identity::Claims;

/// Pairs of an attribute of the pool and a claim of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(Vec<(String, String)>);

impl Mapping {
    /// Of pairs of an attribute and a claim. Each attribute is there at most once.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Whether a sign-in sets this attribute. Then `email_verified` belongs to the address, too.
    pub(crate) fn sets(&self, attribute: &str) -> bool {
        self.0.iter().any(|(name, _)| name == attribute)
    }

    /// Sets each mapped attribute to what the provider says now. One that it does not say, or whose value is not of the form of the attribute,
    /// is removed: what was true of the user at an earlier sign-in need not be true any more. Other attributes stay.
    pub(crate) fn apply(&self, rules: &Settings, attributes: &mut Attributes, claims: &Claims) {
        let said: Vec<(&str, String)> = self
            .0
            .iter()
            .map(|(name, claim)| (name.as_str(), claims.get(claim).and_then(text).unwrap_or_default()))
            .collect();
        // A changed address is not verified any more, so the address comes before what is said of it.
        let (verdicts, others): (Vec<_>, Vec<_>) = said.iter().partition(|(name, _)| name.ends_with("_verified"));
        for (name, value) in others.into_iter().chain(verdicts) {
            if rules.change(attributes, [(*name, value.as_str())]).is_err() {
                let _ = rules.change(attributes, [(*name, "")]);
            }
        }
    }
}

/// A claim as the text of an attribute. `None` for what is no text: a list, or an object other than an address.
fn text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        // OIDC Core §5.1.1
        Value::Object(address) => Some(address.get("formatted")?.as_str()?.trim().to_owned()),
        Value::Array(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::directory::settings::{Custom, Form};

    #[track_caller]
    fn applied(mapping: &[(&str, &str)], before: &[(&str, &str)], claims: Value) -> Value {
        let mut attributes = Attributes::default();
        attributes.set_all(before.iter().copied()).expect("valid");
        let mapping = Mapping::new(mapping.iter().map(|(name, claim)| ((*name).to_owned(), (*claim).to_owned())));
        let custom = Custom { form: Form::Number { min: 1, max: 9 }, is_mutable: true };
        let rules = Settings { custom: [("custom:floor".to_owned(), custom)].into(), ..Settings::default() };
        mapping.apply(&rules, &mut attributes, claims.as_object().expect("an object"));
        serde_json::from_str(&attributes.to_json()).expect("JSON")
    }

    const EMAIL: &[(&str, &str)] = &[("email", "mail"), ("email_verified", "mail_ok")];

    #[test]
    fn mapped_claims_become_attributes_and_others_do_not() {
        let claims =
            json!({"mail": " ada@example.com ", "mail_ok": true, "name": "Ada", "groups": ["admins"], "sub": "7"});
        assert_eq!(
            applied(EMAIL, &[("nickname", "al")], claims),
            json!({"email": "ada@example.com", "email_verified": "true", "nickname": "al"})
        );
    }

    #[test]
    fn an_address_is_verified_only_if_that_is_mapped_and_said_now() {
        let before = &[("email", "ada@example.com"), ("email_verified", "true")];
        for (claims, expected) in [
            (json!({"mail": "ada@example.com"}), json!({"email": "ada@example.com"})),
            (
                json!({"mail": "ada@example.com", "mail_ok": "True"}),
                json!({"email": "ada@example.com", "email_verified": "true"}),
            ),
            (
                json!({"mail": "ada@example.com", "mail_ok": false}),
                json!({"email": "ada@example.com", "email_verified": "false"}),
            ),
            (json!({"mail": "ada@example.com", "mail_ok": 1}), json!({"email": "ada@example.com"})),
            (json!({"mail": "ada@example.com", "mail_ok": ["true"]}), json!({"email": "ada@example.com"})),
        ] {
            assert_eq!(applied(EMAIL, before, claims.clone()), expected, "{claims}");
        }
        let claims = json!({"mail": "other@example.com", "mail_ok": true, "email_verified": true});
        let unmapped = applied(&EMAIL[..1], before, claims.clone());
        assert_eq!(unmapped, json!({"email": "other@example.com"}), "another address was not verified");
        assert_eq!(applied(EMAIL, before, claims), json!({"email": "other@example.com", "email_verified": "true"}));
    }

    #[test]
    fn attributes_of_the_pool_have_the_form_that_it_says() {
        let mapping = &[("custom:floor", "floor")];
        assert_eq!(applied(mapping, &[], json!({"floor": 7})), json!({"custom:floor": "7"}));
        assert_eq!(applied(mapping, &[], json!({"floor": 10})), json!({}));
        assert_eq!(applied(&[("custom:other", "floor")], &[], json!({"floor": 7})), json!({}));
    }

    #[test]
    fn what_the_provider_does_not_say_any_more_is_removed() {
        let before = &[("email", "ada@example.com"), ("name", "Ada"), ("phone_number", "+4930123456")];
        let mapping = &[("email", "email"), ("name", "name"), ("updated_at", "updated_at"), ("address", "address")];
        assert_eq!(
            applied(
                mapping,
                before,
                json!({"email": "not an address", "name": null, "updated_at": 7, "address": {"formatted": "Here 1"}})
            ),
            json!({"phone_number": "+4930123456", "updated_at": "7", "address": "Here 1"})
        );
        assert_eq!(
            applied(mapping, before, json!({"name": "a\u{0}b", "address": {"street_address": "x"}})),
            json!({"phone_number": "+4930123456"})
        );
    }
}

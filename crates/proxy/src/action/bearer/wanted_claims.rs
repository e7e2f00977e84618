//! What an action wants of the claims of a valid token.

use serde_json::Value;

use crate::action::settings::{AdditionalClaim, ClaimFormat};
use crate::identity::Claims;

/// Whether the claims have a claim with one of its values. A claim of another type than its format says holds nowhere.
pub(super) fn holds(wanted: &AdditionalClaim, claims: &Claims) -> bool {
    let is_wanted = |text: &str| wanted.values.iter().any(|value| value == text);
    match (wanted.format, claims.get(&wanted.name)) {
        (ClaimFormat::SingleString, Some(Value::String(text))) => is_wanted(text),
        (ClaimFormat::SpaceSeparatedValues, Some(Value::String(text))) => text.split(' ').any(is_wanted),
        (ClaimFormat::StringArray, Some(Value::Array(items))) => {
            // A list with something else than texts is not in this format.
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            texts.is_some_and(|texts| texts.into_iter().any(is_wanted))
        }
        _ => false,
    }
}

/// Whether the token has a scope: in `scope` (RFC 9068 §2.2.3) or, as Okta and Entra write it, `scp`.
pub(super) fn has_scope(claims: &Claims, wanted: &str) -> bool {
    ["scope", "scp"].iter().any(|name| match claims.get(*name) {
        Some(Value::String(text)) => text.split(' ').any(|scope| scope == wanted),
        Some(Value::Array(items)) => items.iter().any(|scope| scope == wanted),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(text: &str) -> Claims {
        serde_json::from_str(text).expect("an object")
    }

    fn holds_in(format: ClaimFormat, said: &str) -> bool {
        let wanted = AdditionalClaim { name: "c".into(), format, values: vec!["a".into(), "b".into()] };
        holds(&wanted, &claims(said))
    }

    #[test]
    fn a_claim_has_one_of_the_values_in_its_format_or_does_not_hold() {
        use ClaimFormat::{SingleString, SpaceSeparatedValues, StringArray};
        for (format, yes, no) in [
            (
                SingleString,
                &[r#"{"c":"a"}"#, r#"{"c":"b"}"#][..],
                &[r#"{"c":"a b"}"#, r#"{"c":["a"]}"#, r#"{"c":"A"}"#][..],
            ),
            (
                StringArray,
                &[r#"{"c":["x","b"]}"#],
                &[r#"{"c":"a"}"#, r#"{"c":[]}"#, r#"{"c":["a",1]}"#, r#"{"c":[["a"]]}"#],
            ),
            (
                SpaceSeparatedValues,
                &[r#"{"c":"x b"}"#, r#"{"c":"a"}"#],
                &[r#"{"c":"ab"}"#, r#"{"c":["a"]}"#, r#"{"c":"a\tx"}"#],
            ),
        ] {
            assert!(yes.iter().all(|said| holds_in(format, said)), "{format:?}");
            let wrongly: Vec<_> = no.iter().filter(|said| holds_in(format, said)).collect();
            assert!(wrongly.is_empty(), "{format:?}: {wrongly:?}");
            assert!(
                !holds_in(format, r#"{"d":"a"}"#)
                    && !holds_in(format, r#"{"c":null}"#)
                    && !holds_in(format, r#"{"c":1}"#)
            );
        }
    }

    #[test]
    fn scopes_are_whole_words_of_scope_or_scp() {
        for said in [
            r#"{"scope":"openid read"}"#,
            r#"{"scp":["read"]}"#,
            r#"{"scp":"x read"}"#,
            r#"{"scope":"x","scp":["read"]}"#,
        ] {
            assert!(has_scope(&claims(said), "read"), "{said}");
        }
        for said in
            [r#"{"scope":"reader"}"#, r#"{"scope":"read.all"}"#, r#"{"scope":1}"#, r#"{"scp":[["read"]]}"#, "{}"]
        {
            assert!(!has_scope(&claims(said), "read"), "{said}");
        }
    }
}

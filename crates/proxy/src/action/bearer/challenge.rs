//! `WWW-Authenticate` of answers to bearer tokens (RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).

use std::fmt::Write as _;

use http::HeaderValue;

use crate::action::demand::Demand;

/// Why a request was refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem<'p> {
    /// It carries no token, or one of a user who may not come in. There is no error code for either (RFC 6750 §3.1).
    Nothing,
    /// `invalid_request`.
    Malformed,
    /// `invalid_token`, with a description for the developer of the client.
    Invalid(&'static str),
    /// `insufficient_scope`, with the scopes that are needed.
    Scope(&'p [String]),
    /// `insufficient_user_authentication` (RFC 9470 §3).
    StepUp(&'p Demand),
}

/// The challenge. `metadata` is the address where a client learns who issues tokens, if there is one.
pub(super) fn challenge(problem: Problem<'_>, metadata: Option<&str>) -> HeaderValue {
    let mut text = r#"Bearer realm="vestibule""#.to_owned();
    let mut say = |name: &str, value: &str| {
        let _ = write!(text, r#", {name}="{}""#, quotable(value));
    };
    match problem {
        Problem::Nothing => {}
        Problem::Malformed => {
            say("error", "invalid_request");
            say("error_description", "the request must have one Authorization header with one token");
        }
        Problem::Invalid(why) => {
            say("error", "invalid_token");
            say("error_description", why);
        }
        Problem::Scope(scopes) => {
            say("error", "insufficient_scope");
            say("scope", &scopes.join(" "));
        }
        Problem::StepUp(demand) => {
            say("error", "insufficient_user_authentication");
            say("error_description", "a newer or stronger sign-in is required");
            if !demand.acr.is_empty() {
                say("acr_values", &demand.acr.join(" "));
            }
            if let Some(max_age) = demand.max_age {
                say("max_age", &max_age.as_secs().to_string());
            }
        }
    }
    if let Some(metadata) = metadata {
        say("resource_metadata", metadata);
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(r#"Bearer realm="vestibule""#))
}

/// The text without what a quoted string cannot have unescaped (RFC 9110 §5.6.4).
fn quotable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control() && !matches!(c, '"' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_problem_has_the_code_of_its_standard() {
        let scopes = ["read".to_owned(), "write".to_owned()];
        let demand =
            Demand { acr: vec!["phr".into(), "ph\"rh".into()], max_age: Some(Duration::from_secs(300)), contact: None };
        for (problem, expected) in [
            (Problem::Nothing, ""),
            (Problem::Scope(&scopes), r#", error="insufficient_scope", scope="read write""#),
            (Problem::Invalid("it has expired"), r#", error="invalid_token", error_description="it has expired""#),
            (
                Problem::StepUp(&demand),
                r#", error="insufficient_user_authentication", error_description="a newer or stronger sign-in is required", acr_values="phr phrh", max_age="300""#,
            ),
        ] {
            let metadata = r#", resource_metadata="https://a.test/x""#;
            let expected = format!(r#"Bearer realm="vestibule"{expected}{metadata}"#);
            assert_eq!(challenge(problem, Some("https://a.test/x")), expected);
        }
        assert!(challenge(Problem::Malformed, None).to_str().expect("ASCII").contains(r#"error="invalid_request""#));
    }
}

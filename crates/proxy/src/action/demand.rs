//! What `authorize` demands of the sign-in itself, besides the claims of the user: how long ago it may be, and how strong it must be.
//!
//! Pure. The provider answers with `auth_time` and `acr` in the ID token (OIDC Core §2). Both are claims of the session.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::requirement::{Answer, Explained, Unknown};
use crate::clock::{Timestamp, period_text};
use crate::identity::{ASKED_AT, Claims};
use crate::jose::verify::LEEWAY;
use crate::page::Text;

/// `max_age` and `acr` of `authorize`. Also kept, encrypted, in the sign-in that has to meet it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The user must have signed in at the provider within this time.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub max_age: Option<Duration>,
    /// The `acr` must be one of these, compared exactly. Empty: any, or none.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty", default)]
    pub acr: Vec<String>,
    /// Whom to ask about a sign-in that does not meet it, for the page.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none", default)]
    pub contact: Option<String>,
}

/// Characters of an `acr` of a provider in the log.
const ACR_LOGGED_MAX: usize = 64;

/// Why a sign-in does not meet a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortfall {
    #[error("the ID token has no `auth_time` that is a number")]
    NoAuthTime,
    #[error("the `auth_time` of the ID token is in the future")]
    FutureAuthTime,
    #[error("the `auth_time` of the ID token is older than `max_age` allows")]
    TooOld,
    #[error("the ID token has no `acr` that is text")]
    NoAcr,
    #[error("the `acr` of the ID token is none of those that are accepted")]
    OtherAcr,
}

impl Demand {
    /// Whether every sign-in meets it.
    pub fn is_empty(&self) -> bool {
        self.max_age.is_none() && self.acr.is_empty()
    }

    /// Until when a sign-in with these claims meets it; [`Timestamp::MAX`] for as long as the session lasts. A claim of another type is
    /// no claim, and an `auth_time` that is yet to come is none either.
    ///
    /// # Errors
    ///
    /// What is missing. A sign-in that is too old now is not an error here: the returned time has passed.
    pub(crate) fn holds_until(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, Shortfall> {
        self.check_acr(claims)?;
        let Some(max_age) = self.max_age else { return Ok(Timestamp::MAX) };
        let seconds = claims.get("auth_time").and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0);
        // A float that is too large becomes the largest integer.
        let authenticated_at = Timestamp::from_millis((seconds.ok_or(Shortfall::NoAuthTime)? * 1000.0) as u64);
        // For example in milliseconds: it would be recent for centuries.
        if authenticated_at > now + LEEWAY {
            return Err(Shortfall::FutureAuthTime);
        }
        // A silent return from a provider behind the pool makes no sign-in more recent.
        let asked_at = claims.get(ASKED_AT).map(|at| Timestamp::from_seconds(at.as_u64().unwrap_or_default()));
        let authenticated_at = asked_at.map_or(authenticated_at, |asked_at| authenticated_at.min(asked_at));
        // The same leeway as where the ID token is checked. Otherwise a sign-in could be accepted there and be too old here.
        Ok(authenticated_at + max_age + LEEWAY)
    }

    /// Whether a sign-in with these claims is strong enough.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(crate) fn check_acr(&self, claims: &Claims) -> Result<(), Shortfall> {
        if self.acr.is_empty() {
            return Ok(());
        }
        let acr = claims.get("acr").and_then(Value::as_str).ok_or(Shortfall::NoAcr)?;
        if self.acr.iter().any(|accepted| accepted == acr) { Ok(()) } else { Err(Shortfall::OtherAcr) }
    }

    /// How each part decides about a sign-in with these claims. For `check`.
    pub(crate) fn explain(&self, claims: &Claims, now: Timestamp) -> Vec<Explained> {
        let acr = Self { acr: self.acr.clone(), ..Self::default() };
        let max_age = Self { max_age: self.max_age, ..Self::default() };
        let parts = [(acr, "acr"), (max_age, "auth_time")].into_iter().filter(|(part, _)| !part.is_empty());
        let explained = parts.map(|(part, name)| {
            let claim = claims.get(name);
            let answer = match (part.check(claims, now), claim) {
                (Ok(()), _) => Answer::Yes,
                (Err(Shortfall::TooOld | Shortfall::OtherAcr), _) => Answer::No,
                (Err(_), None) => Answer::Unknown(Unknown::Absent),
                (Err(Shortfall::FutureAuthTime), _) => Answer::Unknown(Unknown::InTheFuture),
                (Err(_), Some(_)) => Answer::Unknown(Unknown::Type),
            };
            Explained { depth: 0, part: part.to_string(), answer, claim: claim.map(ToString::to_string), note: None }
        });
        explained.collect()
    }

    /// How a sign-in with these claims falls short, for the log. What the provider wrote is escaped and cut.
    pub(crate) fn told(&self, shortfall: Shortfall, claims: &Claims, now: Timestamp) -> String {
        match shortfall {
            Shortfall::TooOld => {
                let said = |name| claims.get(name).and_then(Value::as_f64);
                let seconds = said(ASKED_AT).or_else(|| said("auth_time")).unwrap_or(0.0);
                let age = now.since(Timestamp::from_millis((seconds * 1000.0) as u64)).as_secs();
                match claims.get(ASKED_AT).and_then(Value::as_u64) {
                    Some(0) => {
                        format!(
                            "{shortfall}: the provider behind the pool has not asked the user, and required is: {self}"
                        )
                    }
                    _ => format!("{shortfall}: it is {age} s old, and required is: {self}"),
                }
            }
            Shortfall::OtherAcr => {
                let acr = claims.get("acr").and_then(Value::as_str).unwrap_or_default();
                let acr: String = acr.chars().take(ACR_LOGGED_MAX).collect();
                format!("{shortfall}: it is {acr:?}, and required is: {self}")
            }
            Shortfall::NoAuthTime | Shortfall::FutureAuthTime | Shortfall::NoAcr => shortfall.to_string(),
        }
    }

    /// Whether a sign-in with these claims meets it now.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(crate) fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Shortfall> {
        if now < self.holds_until(claims, now)? { Ok(()) } else { Err(Shortfall::TooOld) }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = |max_age| {
            format!("signed in within the last {} (plus {} for clocks)", period_text(max_age), period_text(LEEWAY))
        };
        let age = self.max_age.map(age);
        let acr: Vec<_> = self.acr.iter().map(|acr| format!("`{acr}`")).collect();
        let acr = (!acr.is_empty()).then(|| format!("`acr` is {}", acr.join(" or ")));
        f.write_str(&age.into_iter().chain(acr).collect::<Vec<_>>().join(" and "))
    }
}

impl Shortfall {
    /// What the page says of it, to the user and to the operator whom the user asks.
    pub(crate) const fn explanation(self) -> Text {
        match self {
            Self::NoAuthTime => Text::StepUpNoAuthTime,
            Self::FutureAuthTime => Text::StepUpFutureAuthTime,
            Self::TooOld => Text::StepUpTooOld,
            Self::NoAcr => Text::StepUpNoAcr,
            Self::OtherAcr => Text::StepUpOtherAcr,
        }
    }

    /// The claim of the ID token that falls short.
    pub(crate) const fn claim(self) -> &'static str {
        match self {
            Self::NoAuthTime | Self::FutureAuthTime | Self::TooOld => "auth_time",
            Self::NoAcr | Self::OtherAcr => "acr",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[track_caller]
    fn check(demand: &Demand, claims: &Value, expected: Result<(), Shortfall>) {
        let claims = claims.as_object().expect("an object");
        assert_eq!(demand.check(claims, NOW), expected, "{demand:?} {claims:?}");
    }

    #[test]
    fn a_sign_in_is_recent_for_max_age_and_the_leeway_of_clocks() {
        let demand = Demand { max_age: Some(HOUR), ..Demand::default() };
        let ago = |seconds: u64| NOW.seconds() - seconds;
        for claims in [json!({"auth_time": ago(0)}), json!({"auth_time": ago(3600 + 59)})] {
            check(&demand, &claims, Ok(()));
        }
        check(&demand, &json!({"auth_time": ago(3600 + 60)}), Err(Shortfall::TooOld));
        check(&demand, &json!({"auth_time": ago(3600 + 60) as f64 + 0.5}), Ok(()));
        check(&demand, &json!({"auth_time": 0}), Err(Shortfall::TooOld));
        for auth_time in [json!(null), json!("1800000000"), json!(-1), json!([1_800_000_000]), json!(true)] {
            check(&demand, &json!({"auth_time": auth_time}), Err(Shortfall::NoAuthTime));
        }
        check(&demand, &json!({}), Err(Shortfall::NoAuthTime));
    }

    #[test]
    fn c_19_a_sign_in_that_is_yet_to_come_is_none() {
        let demand = Demand { max_age: Some(HOUR), ..Demand::default() };
        check(&demand, &json!({"auth_time": NOW.seconds() + 60}), Ok(()));
        // In milliseconds, as some providers write it, it would be recent for centuries.
        for auth_time in [json!(NOW.seconds() + 61), json!(NOW.millis()), json!(u64::MAX), json!(1e300)] {
            check(&demand, &json!({ "auth_time": auth_time }), Err(Shortfall::FutureAuthTime));
        }
    }

    /// The pool has signed the user in now, and the provider behind it has asked long before, or nobody knows when.
    #[test]
    fn c_19_a_silent_return_makes_no_sign_in_more_recent() {
        let demand = Demand { max_age: Some(HOUR), ..Demand::default() };
        let now = NOW.seconds();
        let claims = |asked_at: serde_json::Value| json!({"auth_time": now, "vestibule:asked_at": asked_at});
        check(&demand, &claims(json!(now - 3600)), Ok(()));
        check(&demand, &claims(json!(now + 1000)), Ok(()));
        for asked_at in [json!(now - 3660), json!(0), json!(null), json!("1800000000"), json!(-1)] {
            check(&demand, &claims(asked_at), Err(Shortfall::TooOld));
        }
        let told = demand.told(Shortfall::TooOld, claims(json!(0)).as_object().expect("an object"), NOW);
        assert!(told.contains("the provider behind the pool has not asked the user"), "{told}");
    }

    #[test]
    fn an_acr_is_one_text_that_is_compared_exactly() {
        let demand = Demand { acr: vec!["phr".into(), "phrh".into()], ..Demand::default() };
        check(&demand, &json!({"acr": "phrh"}), Ok(()));
        for acr in [json!("PHR"), json!("phr "), json!("phr phrh"), json!(""), json!("1")] {
            check(&demand, &json!({ "acr": acr }), Err(Shortfall::OtherAcr));
        }
        for acr in [json!(["phr"]), json!(1), json!(null), json!({"phr": true})] {
            check(&demand, &json!({ "acr": acr }), Err(Shortfall::NoAcr));
        }
        check(&demand, &json!({}), Err(Shortfall::NoAcr));
    }

    #[test]
    fn both_must_hold_and_nothing_demanded_holds_for_ever() {
        let both = Demand { max_age: Some(HOUR), acr: vec!["phr".into()], ..Demand::default() };
        check(&both, &json!({"acr": "phr", "auth_time": NOW.seconds()}), Ok(()));
        check(&both, &json!({"acr": "phr"}), Err(Shortfall::NoAuthTime));
        check(&both, &json!({"auth_time": NOW.seconds()}), Err(Shortfall::NoAcr));
        check(&Demand::default(), &json!({}), Ok(()));
        assert!(Demand::default().is_empty() && !both.is_empty());
    }

    #[test]
    fn a_demand_is_short_in_a_ticket_and_reads_back() {
        for (demand, text) in
            [(Demand::default(), "{}"), (Demand { acr: vec!["phr".into()], ..Demand::default() }, r#"{"a":["phr"]}"#)]
        {
            assert_eq!(serde_json::to_string(&demand).expect("writes"), text);
            assert_eq!(serde_json::from_str::<Demand>(text).expect("reads"), demand);
        }
        let demand = Demand { max_age: Some(HOUR), ..Demand::default() };
        let text = serde_json::to_string(&demand).expect("writes");
        assert_eq!(serde_json::from_str::<Demand>(&text).expect("reads"), demand);
    }

    #[test]
    fn the_log_says_how_a_sign_in_falls_short() {
        let demand = Demand { max_age: Some(HOUR), acr: vec!["phr".into()], ..Demand::default() };
        let told = |claims: Value| {
            let claims = claims.as_object().expect("an object");
            demand.told(demand.check(claims, NOW).expect_err("it falls short"), claims, NOW)
        };
        assert_eq!(
            told(json!({"acr": "phr", "auth_time": NOW.seconds() - 7200})),
            "the `auth_time` of the ID token is older than `max_age` allows: it is 7200 s old, and required is: signed in within the \
             last 1h (plus 1m for clocks) and `acr` is `phr`"
        );
        let other = told(json!({"acr": format!("a\n{}", "b".repeat(1000))}));
        assert!(other.contains(r#"it is "a\nbbb"#) && other.len() < 250, "{other}");
    }
}

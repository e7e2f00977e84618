//! What becomes of a request without a session (ALB §2.1). Pure.

use http::{HeaderMap, Method};

use crate::action::settings::{AuthenticateSettings, OnExpired, OnUnauthenticated};
use crate::exchange::rejection::Reason;
use crate::message::media::Intent;

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// No cookie, or one that is not for this action.
    Nothing,
    /// A cookie that does not open.
    Invalid,
    /// A session that is over: timed out, signed out, or refused by the provider at a refresh.
    Expired,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To the provider.
    Login,
    /// On, as nobody.
    Anonymous,
    Refuse(Reason),
}

/// What the request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) intent: Intent,
    pub(super) sends: Sends,
}

/// What a navigation brings along, which a login would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    Nothing,
    /// A form of this site.
    Form,
    /// A form of another site. Browsers leave out a `SameSite=Lax` cookie, so that the user may well be signed in.
    ForeignForm,
}

impl Sends {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        if matches!(*method, Method::GET | Method::HEAD) {
            return Self::Nothing;
        }
        let is_foreign = headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site");
        if is_foreign { Self::ForeignForm } else { Self::Form }
    }
}

/// Only a navigation is ever sent to the provider: nothing else can follow (ALB §2.7, pitfalls 15–18). One that sends a form
/// is not: the browser would come back without the form, and the user would not be told that nothing was sent.
pub(super) fn decide(absence: Absence, settings: &AuthenticateSettings, wish: Wish) -> Verdict {
    let may_sign_in = match settings.on_unauthenticated {
        OnUnauthenticated::Allow => return Verdict::Anonymous,
        OnUnauthenticated::Authenticate => true,
        OnUnauthenticated::Deny => absence == Absence::Expired && settings.on_expired == OnExpired::Authenticate,
    };
    if may_sign_in && matches!(wish.intent, Intent::Navigation | Intent::Frame) {
        match wish.sends {
            Sends::ForeignForm if absence == Absence::Nothing => {
                return Verdict::Refuse(Reason::AuthFormForeign);
            }
            Sends::Form | Sends::ForeignForm => return Verdict::Refuse(Reason::AuthFormNotSent),
            Sends::Nothing if wish.intent == Intent::Navigation => return Verdict::Login,
            Sends::Nothing => {}
        }
    }
    Verdict::Refuse(match absence {
        Absence::Nothing => Reason::AuthRequired,
        Absence::Invalid => Reason::AuthSessionInvalid,
        Absence::Expired => Reason::AuthSessionExpired,
    })
}

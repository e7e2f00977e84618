//! Decides about a request without a session (ALB §2.1). Pure.

use http::{HeaderMap, Method};

use crate::action::settings::{AuthenticateSettings, OnExpired, OnUnauthenticated};
use crate::exchange::rejection::Reason;
use crate::message::media::Intent;

/// Why the request has no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// There is no cookie, or it is for another action.
    Nothing,
    /// The cookie cannot be decrypted.
    Invalid,
    /// The session has expired, was signed out, or ended because the provider refused a refresh.
    Expired,
    /// The user pool of this process has ended the session.
    Ended,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Redirect to the provider.
    Login,
    /// Continue without a user.
    Anonymous,
    Refuse(Reason),
}

/// The properties of the request that matter for the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) intent: Intent,
    pub(super) sends: Sends,
}

/// The form of a navigation, which a sign-in would lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    Nothing,
    /// A form on a page of this site.
    Form,
    /// A form on a page of another site. Browsers do not send `SameSite=Lax` cookies with it, so the user may be signed in.
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

/// Only navigations are redirected to the provider, because other requests cannot follow (ALB §2.7, pitfalls 15–18). A navigation
/// with a form is not redirected: the form would be lost, and the user would not know.
pub(super) fn decide(absence: Absence, settings: &AuthenticateSettings, wish: Wish) -> Verdict {
    if settings.on_unauthenticated == OnUnauthenticated::Allow {
        return Verdict::Anonymous;
    }
    if may_sign_in(absence, settings) && matches!(wish.intent, Intent::Navigation | Intent::Frame) {
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
        Absence::Ended => Reason::AuthSessionEnded,
    })
}

/// Whether the settings let a request start a sign-in by itself.
pub(super) fn may_sign_in(absence: Absence, settings: &AuthenticateSettings) -> bool {
    match settings.on_unauthenticated {
        OnUnauthenticated::Authenticate => true,
        OnUnauthenticated::Deny => {
            matches!(absence, Absence::Expired | Absence::Ended) && settings.on_expired == OnExpired::Authenticate
        }
        OnUnauthenticated::Allow => false,
    }
}

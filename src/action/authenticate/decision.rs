//! What becomes of a request without a session (spec §2.1). Pure.

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

/// Only a navigation is ever sent to the provider: nothing else can follow (spec §2.7, pitfalls 15–18).
pub(super) fn decide(absence: Absence, settings: &AuthenticateSettings, intent: Intent) -> Verdict {
    let may_sign_in = match settings.on_unauthenticated {
        OnUnauthenticated::Allow => return Verdict::Anonymous,
        OnUnauthenticated::Authenticate => true,
        OnUnauthenticated::Deny => absence == Absence::Expired && settings.on_expired == OnExpired::Authenticate,
    };
    if may_sign_in && intent == Intent::Navigation {
        return Verdict::Login;
    }
    Verdict::Refuse(match absence {
        Absence::Nothing => Reason::AuthRequired,
        Absence::Invalid => Reason::AuthSessionInvalid,
        Absence::Expired => Reason::AuthSessionExpired,
    })
}

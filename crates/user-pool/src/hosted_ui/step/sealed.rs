//! What the form of a page carries, sealed: which page it is, and the sign-in that is under way.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::credential::totp::Seed;
use crate::credential::webauthn::{Question, Registration};
use crate::factors::settings::Factor;
use crate::hosted_ui::page::Notice;
use crate::oauth::request::AuthorizationRequest;
use crate::page::View;
use crate::signin::step::{UnderWay, Way, Ways};
use crate::verification::code::Purpose;

/// How long a question for a second factor may be answered (pool §9.4). Where a code can be sent, as long as the code is valid.
const ANSWER_WITHIN: Duration = Duration::from_secs(3 * 60);
/// How long setting one up may take: some users look for an app first.
const SET_UP_WITHIN: Duration = Duration::from_secs(15 * 60);

/// A page of a sign-in that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) kind: Kind,
    pub(super) under_way: UnderWay,
    /// `None`: the user returns to the start page.
    pub(super) request: Option<AuthorizationRequest>,
    /// When the page was shown first, in seconds. One that is shown again does not live longer. Never a second that counts as ended, as the
    /// `auth_time` of a session (docs/decisions/0097).
    pub(super) shown_at: u64,
    /// Why it is shown again.
    pub(super) notice: Option<Notice>,
}

/// What a page is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Takes the code of a second factor. There may be other ways.
    Code(Asked, Ways),
    /// Takes a passkey as a second factor: one of these IDs.
    Passkey { question: Box<Question>, ids: Vec<String>, ways: Ways },
    /// Asks which second factor to set up.
    Choose(Vec<Factor>),
    /// Sets up one-time passwords.
    SetUpTotp(Seed),
    /// Adds a passkey.
    SetUpPasskey(Box<Registration>),
    /// Shows recovery codes, once. They are sealed in the page, so that it can be loaded again.
    RecoveryCodes(Vec<String>),
}

/// The code that a user is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    Totp,
    RecoveryCode,
    /// A code that was sent.
    Sent {
        factor: Factor,
        /// The address, of which only a little can be read.
        masked: String,
        /// Whether the user has asked for another one.
        is_another: bool,
    },
}

impl Asked {
    /// The way that the code proves.
    pub(super) const fn way(&self) -> Way {
        match self {
            Self::Totp => Way::Factor(Factor::Totp),
            Self::RecoveryCode => Way::RecoveryCode,
            Self::Sent { factor, .. } => Way::Factor(*factor),
        }
    }
}

impl Kind {
    fn lifetime(&self) -> Duration {
        match self {
            Self::Code(_, ways) | Self::Passkey { ways, .. } if ways.has_sent_codes() => {
                Purpose::SecondFactor.lifetime()
            }
            Self::Code(..) | Self::Passkey { .. } => ANSWER_WITHIN,
            Self::Choose(_) | Self::SetUpTotp(_) | Self::SetUpPasskey(_) | Self::RecoveryCodes(_) => SET_UP_WITHIN,
        }
    }
}

impl Page {
    /// The same page, with what was wrong.
    pub(super) fn with(self, notice: Notice) -> Self {
        Self { notice: Some(notice), ..self }
    }

    /// Whether it was shown too long ago, or before the user's sign-ins of before `first_auth_time` have ended.
    pub(super) fn is_over(&self, first_auth_time: u64, now: Timestamp) -> bool {
        self.shown_at < first_auth_time || now.since(Timestamp::from_seconds(self.shown_at)) > self.kind.lifetime()
    }
}

/// What all pages of a sign-in have.
pub(super) struct Frame<'a> {
    pub(super) view: View<'a>,
    /// The hidden value.
    pub(super) carried: &'a str,
    pub(super) status: StatusCode,
    pub(super) page: &'a Page,
    /// The address of the script for passkeys.
    pub(super) script: &'a str,
}

impl Frame<'_> {
    /// The CSP sources for `form-action`: the last form leads to the relying party.
    pub(super) fn form_action(&self) -> String {
        self.page.request.as_ref().map_or_else(|| "'self'".to_owned(), AuthorizationRequest::form_action)
    }
}

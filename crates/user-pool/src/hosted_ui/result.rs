//! The result of a sign-in form, in the address of the page that shows it.
//!
//! The text of the page comes from a seal and never from the address: nobody can make a link that shows a message of their own,
//! or a sign-in form of their own, because the seal also names the browser.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::hosted_ui::page::{Notice, Refused};

/// The parameter of the sign-in page that has the sealed result.
pub(crate) const PARAMETER: &str = "result";

/// The parameter of the sign-in page that has the sealed refusal of a form.
pub(crate) const REFUSAL: &str = "refused";

/// Maximum length of the address. Proxies and servers often accept 8 KiB. A result that needs more is answered at once.
pub(crate) const LOCATION_BYTES_MAX: usize = 4096;

/// What the sign-in page shows after a form was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FormResult {
    /// The hidden value of the form, sealed. It keeps its age: a form that is shown again does not live longer.
    pub(crate) carried: String,
    /// The user name as typed.
    pub(crate) username: String,
    notice: Notice,
    /// When the form was sent, in seconds.
    pub(crate) at: u64,
}

/// What the page shows after a form could not be used at all. It is not bound to a browser, because a form is refused also if
/// the browser sent no cookie. The texts are fixed, and the link leads where the pool itself leads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FormRefusal {
    pub(crate) why: Refused,
    /// The address at which the user can start again.
    pub(crate) again: String,
    /// The request ID of the form, whose access record has the reason.
    pub(crate) request_id: Option<String>,
}

impl FormResult {
    /// The result of a form that was sent at `now`.
    pub(crate) fn new(carried: &str, username: &str, notice: Notice, now: Timestamp) -> Self {
        Self { carried: carried.to_owned(), username: username.to_owned(), notice, at: now.seconds() }
    }

    /// The notice, with the time that is left to wait: the page may be loaded again later.
    pub(crate) fn notice(&self, now: Timestamp) -> Notice {
        let passed = now.seconds().saturating_sub(self.at);
        match self.notice {
            Notice::TooMany(seconds) => Notice::TooMany(seconds.saturating_sub(passed)),
            Notice::Busy(seconds) => Notice::Busy(seconds.saturating_sub(passed)),
            notice => notice,
        }
    }
}

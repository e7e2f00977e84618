//! What a page with a code says of a wrong one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::hosted_ui::flow::Notice;
use crate::page::Text;
use crate::verification::code::WRONG_TRIES_MAX;

/// What a page knows of the tries at a code. The page counts only what was typed on this page. The code itself counts the tries by all names of its user, so
/// what the code knows would tell that two names are one user (attacks U-01).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tries {
    /// When the code that was asked for expires, in seconds since 1970.
    ends_at: u64,
    wrong: i64,
}

impl Tries {
    /// At a code that was asked for at this moment.
    pub(super) fn begun(lifetime: Duration, now: Timestamp) -> Self {
        Self { ends_at: (now + lifetime).seconds(), wrong: 0 }
    }

    /// Counts a wrong code, and says what to tell.
    pub(super) fn wrong(&mut self, now: Timestamp) -> Notice {
        self.wrong = self.wrong.saturating_add(1);
        if now.seconds() >= self.ends_at {
            Notice::fault("code.expired", Text::CodeExpired)
        } else if self.wrong >= WRONG_TRIES_MAX {
            Notice::fault("code.too_many_tries", Text::CodeTooManyTries)
        } else {
            // Not why: a code that was used, or that strangers have typed too often by another name, is no other answer.
            Notice::not_of_name()
        }
    }
}

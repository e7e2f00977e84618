//! A key of the database, and for how long it is good for what.

use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::Error;
use crate::jose::signing_key::Algorithm;

/// How long a key signs.
pub(super) const SIGNS_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long a key is published before it signs: relying parties keep the key set for some time.
pub(super) const PUBLISHED_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// How long a key is published after it has signed: the longest `token_lifetime` is a day, and another process of a takeover may have signed with
/// it for some minutes more.
pub(super) const PUBLISHED_AFTER: Duration = Duration::from_secs(25 * 3600);

/// What a key is for. One that is not published any more has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Published, and signs later.
    Next,
    /// Signs.
    Current,
    /// Does not sign any more, and is published until its last token has expired.
    Former,
}

impl State {
    /// As in the database and in the output of commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Former => "former",
        }
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Next, Self::Current, Self::Former];
        all.into_iter().find(|state| state.as_str() == text).ok_or(Error::Malformed("state of a key"))
    }
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub kid: String,
    pub algorithm: Algorithm,
    pub state: State,
    pub created_at: Timestamp,
    /// When the current key is replaced, if the next one is published long enough by then.
    pub signs_until: Timestamp,
    /// Of a former key.
    pub published_until: Option<Timestamp>,
    /// The public half, in PEM form.
    pub(super) public: String,
    /// The private half in PEM form, encrypted. A former key has none any more.
    pub(super) sealed: Option<Vec<u8>>,
}

/// A key that was just made.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) public: String,
    pub(super) sealed: Vec<u8>,
}

//! Authorization codes: kept in memory, used once, gone after a minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::crypto::{compare, digest, random};
use crate::secret::Secret;
use crate::user_pool::oauth::grant::{Pending, Presented};

/// RFC 6749 §4.1.2 allows ten minutes; a redirect takes seconds.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a code that was used is recognised when it comes again.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Codes at once; beyond, the oldest are forgotten.
const CODES_MAX: usize = 10_000;

/// Codes that were made in the last ten minutes.
#[derive(Debug)]
pub(crate) struct Codes(Mutex<State>);

/// `order` holds the keys of `by_hash` from the oldest to the newest.
#[derive(Debug, Default)]
struct State {
    by_hash: HashMap<[u8; 32], Code>,
    order: VecDeque<([u8; 32], Timestamp)>,
}

#[derive(Debug)]
struct Code {
    made_at: Timestamp,
    state: CodeState,
}

#[derive(Debug)]
enum CodeState {
    Fresh(Box<Pending>),
    Taken { family: String },
}

/// What a code brings.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Its first use. Everything issued now belongs to `family`.
    Pending { pending: Pending, family: String },
    /// It was used before, and `family` came of it.
    Before { family: String },
    /// It is no code of ours, or not bound to what was presented.
    Nothing,
}

impl Codes {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Makes a code. Kept by its hash: a look at this memory gives no code away.
    pub(crate) fn issue(&self, pending: Pending, now: Timestamp) -> Secret<String> {
        let code = Secret::new(random::token());
        let hash = digest::sha256(code.expose().as_bytes());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget_old(now);
        state.order.push_back((hash, now));
        state.by_hash.insert(hash, Code { made_at: now, state: CodeState::Fresh(Box::new(pending)) });
        code
    }

    /// Takes a code. One that is presented wrongly is used up as well: whoever has it should not.
    pub(crate) fn take(&self, presented: &Presented<'_>, now: Timestamp) -> Taken {
        let hash = digest::sha256(presented.code.as_bytes());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(code) = state.by_hash.get_mut(&hash) else { return Taken::Nothing };
        let family = random::token();
        let pending = match std::mem::replace(&mut code.state, CodeState::Taken { family: family.clone() }) {
            CodeState::Fresh(pending) => *pending,
            CodeState::Taken { family } => {
                code.state = CodeState::Taken { family: family.clone() };
                return Taken::Before { family };
            }
        };
        let is_young = now.since(code.made_at) < LIFETIME;
        if is_young && fits(&pending, presented) { Taken::Pending { pending, family } } else { Taken::Nothing }
    }
}

fn fits(pending: &Pending, presented: &Presented<'_>) -> bool {
    // RFC 7636 §4.6.
    let challenge = URL_SAFE_NO_PAD.encode(digest::sha256(presented.code_verifier.as_bytes()));
    pending.grant.client_id == presented.client_id
        && pending.redirect_uri == presented.redirect_uri
        && compare::equal(challenge.as_bytes(), pending.code_challenge.as_bytes())
}

impl State {
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((hash, made_at)) = self.order.front() {
            if self.order.len() < CODES_MAX && now.since(*made_at) < REMEMBERED_FOR {
                break;
            }
            self.by_hash.remove(hash);
            self.order.pop_front();
        }
    }
}

//! Authorization codes. A code is an encrypted value, so every replica can redeem it. This process remembers the codes that it
//! has redeemed, because each may be redeemed once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::oauth::grant::record::{Grant, Pending, Presented};
use crate::seal::{Purpose, Seal};
use crate::secret::Secret;
use crate::shares::{Bounds, Found, Shares};

/// RFC 6749 §4.1.2 allows ten minutes; a redirect takes seconds.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a redeemed code is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Maximum number of remembered codes, per user and client and in total. The rate limit of
/// [`Grants`](crate::oauth::grant::Grants) lets one user redeem fewer than this within the life of a code.
const REDEEMED: Bounds = Bounds { per_owner: 256, total: 50_000 };

/// Issues and redeems codes.
#[derive(Debug)]
pub(crate) struct Codes {
    seal: Seal,
    redeemed: Arc<RedeemedCodes>,
}

/// Codes that were redeemed in the last ten minutes.
#[derive(Debug)]
pub(crate) struct RedeemedCodes(Mutex<Shares<()>>);

impl Default for RedeemedCodes {
    fn default() -> Self {
        Self(Mutex::new(Shares::new(REDEEMED)))
    }
}

/// The contents of a code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Also identifies the family of tokens that are issued for the code.
    id: String,
    made_at_ms: u64,
    pub(super) pending: Pending,
}

/// The result of redeeming a code.
#[derive(Debug)]
pub(crate) enum Taken {
    /// First use. Everything that is issued now belongs to `family`.
    Pending { pending: Pending, family: String },
    /// The code was redeemed before; `family` was issued for it.
    Before { pending: Pending, family: String },
    /// The code has expired, or the parameters do not match.
    Nothing,
}

impl Codes {
    pub(crate) fn new(seal: Seal, redeemed: Arc<RedeemedCodes>) -> Self {
        Self { seal, redeemed }
    }

    /// Issues a code.
    pub(crate) fn issue(&self, pending: Pending, now: Timestamp) -> Secret<String> {
        let id = URL_SAFE_NO_PAD.encode(octets::random::<16>());
        Secret::new(self.seal.seal(Purpose::Code, &Code { id, made_at_ms: now.millis(), pending }))
    }

    /// Decrypts a code of this pool. Does not check its age.
    pub(crate) fn open(&self, code: &str) -> Option<Code> {
        self.seal.open(Purpose::Code, code)
    }

    /// Redeems a code. A code that is presented with the wrong client, redirect URI or verifier is used up as well, because it
    /// was probably stolen. `count` is called only if tokens will be issued.
    ///
    /// # Errors
    ///
    /// The error of `count`. The code is not used up then.
    pub(crate) fn take<E>(
        &self,
        code: Code,
        presented: &Presented<'_>,
        now: Timestamp,
        count: impl FnOnce(&Grant) -> Result<(), E>,
    ) -> Result<Taken, E> {
        let Code { id, made_at_ms, pending } = code;
        let made_at = Timestamp::from_millis(made_at_ms);
        let owner = pending.grant.owner();
        let mut redeemed = self.redeemed.0.lock().unwrap_or_else(PoisonError::into_inner);
        match redeemed.find(&owner, &id, made_at, now) {
            Found::Here(()) => return Ok(Taken::Before { family: id, pending }),
            Found::Forgotten => return Ok(Taken::Nothing),
            Found::Never if !is_alive(made_at, now) => return Ok(Taken::Nothing),
            Found::Never => {}
        }
        let fits = pending.fits(presented);
        if fits {
            count(&pending.grant)?;
        }
        redeemed.put(&owner, &id, (made_at, now + REMEMBERED_FOR), (), now);
        Ok(if fits { Taken::Pending { pending, family: id } } else { Taken::Nothing })
    }
}

/// Whether a code has not expired. A code from the future was issued before the clock was set back, or by a replica with a slightly
/// different clock.
fn is_alive(made_at: Timestamp, now: Timestamp) -> bool {
    now.since(made_at) < LIFETIME && made_at.since(now) < LIFETIME
}

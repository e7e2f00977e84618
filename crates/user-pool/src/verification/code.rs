//! One-time codes of six digits, as rows of the database (pool §6.1).
//!
//! There is at most one code for each subject, purpose and target: a new one replaces the former one. The file has an HMAC of the digits, with a key
//! of `store.key_files`, because a plain hash of six digits is guessed at once.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::{octets, uuid};
use crate::database::{Error, Place, Transaction, Value, Vault};
use crate::secret::Secret;

/// Wrong tries after which a code is void (pool §6.1).
pub(crate) const WRONG_TRIES_MAX: i64 = 5;
/// Digits of a code (pool §6.1).
const DIGITS: usize = 6;

/// What a code lets its owner do. A code of one purpose is of no use for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Set a new password.
    Reset,
    /// The second step of a sign-in.
    SecondFactor,
    /// Sign in without a password.
    SignIn,
    /// Confirm a user who has just signed up.
    SignUp,
    /// Show that an attribute of an existing user, for example a new address, is right.
    VerifyAttribute,
}

impl Purpose {
    /// As in the database.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::SecondFactor => "second-factor",
            Self::SignIn => "sign-in",
            Self::SignUp => "sign-up",
            Self::VerifyAttribute => "verify-attribute",
        }
    }

    /// For how long its codes are valid (pool §6.1). Those of a sign-in live as long as the pages that ask for them, 3 minutes with Cognito (pool §9.4).
    /// Mail takes longer than that at times, so ours have 10.
    pub(crate) const fn lifetime(self) -> Duration {
        match self {
            Self::SignUp | Self::VerifyAttribute => Duration::from_hours(24),
            Self::Reset => Duration::from_hours(1),
            Self::SecondFactor | Self::SignIn => Duration::from_mins(10),
        }
    }
}

/// Which code: what finds its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeOf<'c> {
    /// The `sub` of the user.
    pub(crate) subject: &'c str,
    pub(crate) purpose: Purpose,
    /// What the code is about, for example the attribute `email`. Two targets have two codes that are valid at the same time, with five tries each.
    pub(crate) target: &'c str,
}

/// A new code: made before the transaction, because its function may run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneTimeCode {
    pub(super) id: String,
    pub(super) digits: Secret<String>,
    pub(super) expires_at: Timestamp,
}

impl OneTimeCode {
    /// A random code that is valid for `lifetime` from `now` on.
    pub(crate) fn random(lifetime: Duration, now: Timestamp) -> Self {
        Self { id: uuid::random(), digits: Secret::new(digits()), expires_at: now + lifetime }
    }

    /// The same for a code that nobody gets: nothing that is typed is right. Otherwise digits that were never sent could be guessed, as often as somebody
    /// asks.
    pub(crate) fn that_nobody_has(&self) -> Self {
        Self { digits: Secret::new(octets::token()), ..self.clone() }
    }

    /// Names the code without telling it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the user has to type.
    pub(crate) fn digits(&self) -> &Secret<String> {
        &self.digits
    }

    /// From when on it is not valid.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// What a typed code was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The right one. It is used up: of many who bring it at the same time, one gets this.
    Right {
        /// What was given to [`Codes::issue`].
        pending: Option<String>,
    },
    /// Another one.
    Wrong,
    /// There were too many wrong ones: no code is taken until a new one is issued.
    TooMany,
    /// There is no code: it has expired, was used, or was never issued.
    Expired,
}

/// The codes of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Codes {
    pool: Arc<str>,
    vault: Vault,
}

impl Codes {
    /// The codes of the pool with this name. `vault` is that of its database.
    pub(crate) fn new(pool: Arc<str>, vault: Vault) -> Self {
        Self { pool, vault }
    }

    /// Makes `code` the only valid one of this subject, purpose and target. [`take`](Self::take) returns `pending`, for example the address that comes
    /// into force; it is stored as it is, so it must be no secret.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn issue(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        code: &OneTimeCode,
        pending: Option<&str>,
    ) -> Result<(), Error> {
        let set = "id = excluded.id, mac = excluded.mac, wrong_tries = 0, wrong_before = 0, sent_until = NULL, \
                   pending = excluded.pending, expires_at = excluded.expires_at";
        self.put(on, of, (code, pending), (set, &[]))
    }

    /// Issues a code that nobody gets, because no more messages are sent. A code of before stays right until its end, and with the tries that it has left. Whoever
    /// types other digits gets the same answers as after [`issue`](Self::issue).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn issue_unsent(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (code, pending): (&OneTimeCode, Option<&str>),
        now: Timestamp,
    ) -> Result<(), Error> {
        const STAYS: &str = "coalesce(sent_until, expires_at) > ?9 AND wrong_before + wrong_tries < ?10";
        let set = format!(
            "id = CASE WHEN {STAYS} THEN id ELSE excluded.id END, mac = CASE WHEN {STAYS} THEN mac ELSE excluded.mac END, \
             pending = CASE WHEN {STAYS} THEN pending ELSE excluded.pending END, \
             wrong_before = CASE WHEN {STAYS} THEN wrong_before + wrong_tries ELSE 0 END, \
             sent_until = CASE WHEN {STAYS} THEN coalesce(sent_until, expires_at) END, \
             wrong_tries = 0, expires_at = excluded.expires_at"
        );
        self.put(on, of, (&code.that_nobody_has(), pending), (&set, &[now.into(), WRONG_TRIES_MAX.into()]))
    }

    /// Issues a code that nobody gets, where no code is valid: somebody brings one, and a name that nobody has must not answer otherwise than one whose user was
    /// sent a code.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn issue_if_none(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        code: &OneTimeCode,
        now: Timestamp,
    ) -> Result<(), Error> {
        let set = "id = excluded.id, mac = excluded.mac, wrong_tries = 0, wrong_before = 0, sent_until = NULL, pending = NULL, \
                   expires_at = excluded.expires_at WHERE expires_at <= ?9";
        self.put(on, of, (&code.that_nobody_has(), None), (set, &[now.into()]))
    }

    /// Writes a code. `set` is what becomes of one of before, with more values.
    fn put(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (code, pending): (&OneTimeCode, Option<&str>),
        (set, more): (&str, &[Value<'_>]),
    ) -> Result<(), Error> {
        let mac = self.vault.authenticate(code.digits.expose().as_bytes(), &self.place(&of.row(&self.pool)));
        let [pool, subject, purpose, target] = of.key(&self.pool);
        let mut values = vec![
            pool,
            subject,
            purpose,
            target,
            (&code.id).into(),
            (&mac).into(),
            pending.into(),
            code.expires_at.into(),
        ];
        values.extend_from_slice(more);
        let sql = format!(
            "INSERT INTO codes (pool, sub, purpose, target, id, mac, wrong_tries, pending, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8) ON CONFLICT (pool, sub, purpose, target) DO UPDATE SET {set}"
        );
        on.execute(&sql, &values).map(drop)
    }

    /// Compares what somebody has typed with the code, and uses the code up if it is right. A wrong try counts when the transaction commits: do not
    /// fail it because of the result. White space within `typed` is ignored.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn take(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        typed: &str,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        self.compare(on, of, (typed, |_| true), now, Self::use_up)
    }

    /// The same for a code that [`issue`](Self::issue) was given the address of as `pending`. `address` is where such a code would go now. A code that went to
    /// another address counts as a wrong one: whoever reads the messages to a former address must not come in.
    ///
    /// So does a code without an address. Versions before this one have issued such codes, for a new password (valid for an hour) and for a sign-up (24 hours).
    /// Nobody knows where they went, so the user has to ask for another code.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn take_sent_to(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (typed, address): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Taken, Error> {
        self.compare(on, of, (typed, |sent_to| was_sent_to(sent_to, address)), now, Self::use_up)
    }

    /// As [`take_sent_to`](Self::take_sent_to), but a right code stays valid: for what has to be done before it is used up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn look_sent_to(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (typed, address): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Taken, Error> {
        let right = |_: &Self, _: &mut Transaction<'_>, _: &str| Ok(Taken::Right { pending: None });
        self.compare(on, of, (typed, |sent_to| was_sent_to(sent_to, address)), now, right)
    }

    /// `is_of` says of `pending` whether the code may be right.
    fn compare(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (typed, is_of): (&str, impl FnOnce(Option<&str>) -> bool),
        now: Timestamp,
        right: impl FnOnce(&Self, &mut Transaction<'_>, &str) -> Result<Taken, Error>,
    ) -> Result<Taken, Error> {
        let key = of.key(&self.pool);
        let sql = "SELECT id, mac, wrong_tries, wrong_before, sent_until, pending FROM codes \
                   WHERE pool = ?1 AND sub = ?2 AND purpose = ?3 AND target = ?4 AND expires_at > ?5";
        let [pool, subject, purpose, target] = key;
        let Some(mut row) = on.query_one(sql, &[pool, subject, purpose, target, now.into()])? else {
            return Ok(Taken::Expired);
        };
        let (id, mac, wrong_tries) = (row.text(0)?, row.blob(1)?, row.integer(2)?);
        if wrong_tries >= WRONG_TRIES_MAX {
            return Ok(Taken::TooMany);
        }
        // One of before that has stayed too long, or that was tried too often, is only another wrong one.
        let counts =
            row.integer(3)? + wrong_tries < WRONG_TRIES_MAX && row.optional_timestamp(4)?.is_none_or(|end| now < end);
        let typed = Secret::new(typed.split_whitespace().collect::<String>());
        let is_right = self.vault.is_authentic(typed.expose().as_bytes(), &mac, &self.place(&of.row(&self.pool)));
        let is_right = is_right & is_of(row.optional_text(5)?.as_deref());
        if is_right && counts { right(self, on, &id) } else { self.count_wrong(on, &id) }
    }

    /// Deletes the code, if nobody else has.
    fn use_up(&self, on: &mut Transaction<'_>, id: &str) -> Result<Taken, Error> {
        let sql = "DELETE FROM codes WHERE pool = ?1 AND id = ?2 AND wrong_before + wrong_tries < ?3 RETURNING pending";
        let row = on.query_one(sql, &[Value::from(&*self.pool), id.into(), WRONG_TRIES_MAX.into()])?;
        let Some(mut row) = row else { return Ok(Taken::Expired) };
        Ok(Taken::Right { pending: row.optional_text(0)? })
    }

    fn count_wrong(&self, on: &mut Transaction<'_>, id: &str) -> Result<Taken, Error> {
        let sql = "UPDATE codes SET wrong_tries = wrong_tries + 1 WHERE pool = ?1 AND id = ?2 RETURNING wrong_tries";
        let row = on.query_one(sql, &[Value::from(&*self.pool), id.into()])?;
        let Some(mut row) = row else { return Ok(Taken::Expired) };
        Ok(if row.integer(0)? < WRONG_TRIES_MAX { Taken::Wrong } else { Taken::TooMany })
    }

    /// What was given to [`issue`](Self::issue) with the code that is valid. `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn pending(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let [pool, subject, purpose, target] = of.key(&self.pool);
        let sql = "SELECT pending FROM codes WHERE pool = ?1 AND sub = ?2 AND purpose = ?3 AND target = ?4 AND expires_at > ?5";
        let row = on.query_one(sql, &[pool, subject, purpose, target, now.into()])?;
        Ok(row.map(|mut row| row.optional_text(0)).transpose()?.flatten())
    }

    #[cfg(test)]
    pub(crate) fn is_valid(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM codes WHERE pool = ?1 AND id = ?2 AND coalesce(sent_until, expires_at) > ?3 \
                   AND wrong_before + wrong_tries < ?4";
        let values = [Value::from(&*self.pool), id.into(), now.into(), WRONG_TRIES_MAX.into()];
        Ok(on.query_one(sql, &values)?.is_some())
    }

    fn place<'p>(&self, row: &'p [&'p str]) -> Place<'p> {
        Place { table: "codes", column: "mac", row }
    }
}

impl<'c> CodeOf<'c> {
    fn row(&self, pool: &'c str) -> [&'c str; 4] {
        [pool, self.subject, self.purpose.as_str(), self.target]
    }

    fn key(&self, pool: &'c str) -> [Value<'c>; 4] {
        self.row(pool).map(Value::from)
    }
}

/// Whether a code went to this address. `false` if it is not known where it went.
fn was_sent_to(sent_to: Option<&str>, address: Option<&str>) -> bool {
    sent_to.is_some() && sent_to == address
}

/// Makes all codes of a user void, for example when the password has changed or the user is deleted.
///
/// # Errors
///
/// If the database fails.
pub(crate) fn forget(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<(), Error> {
    on.execute("DELETE FROM codes WHERE pool = ?1 AND sub = ?2", &[Value::from(pool), subject.into()]).map(drop)
}

/// Deletes at most `limit` codes that have expired. Returns how many.
///
/// # Errors
///
/// If the database fails.
pub(crate) fn sweep(on: &mut Transaction<'_>, pool: &str, now: Timestamp, limit: i64) -> Result<usize, Error> {
    let sql = "DELETE FROM codes WHERE pool = ?1 AND id IN (SELECT id FROM codes WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
    on.execute(sql, &[Value::from(pool), now.into(), limit.into()])
}

/// Six random digits, each number as likely as any other.
fn digits() -> String {
    const NUMBERS: u32 = 10_u32.pow(DIGITS as u32);
    // Above the last multiple, the small numbers would be more likely.
    const LAST: u32 = u32::MAX - u32::MAX % NUMBERS;
    loop {
        let random = u32::from_be_bytes(octets::random());
        if random < LAST {
            return format!("{:0DIGITS$}", random % NUMBERS);
        }
    }
}

#[cfg(test)]
mod tests;

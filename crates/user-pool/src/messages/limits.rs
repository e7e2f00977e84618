//! How many messages strangers can have sent, and how often they can try (pool §6.2).
//!
//! There are two kinds of limits. What is counted by what a visitor has typed and by the network of the visitor is the same whether there is such a
//! user or not, so its excess is told: [`Limits::admit`]. Tries at codes are counted by the user, too, whichever name of the user is typed. That excess is not
//! told, or it would say that two names are one user: [`Limits::admit_try`]. What is counted by messages that were really sent is kept in the database, because a restart must
//! not allow as many again. Its excess is never told, or the answer would say who is a user: [`Limits::may_send`]. It runs the same statements whatever
//! comes of it, and [`Limits::pretend`] runs them for names that nobody has.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::database::{Error, Place, Transaction, Value, Vault};
use crate::directory::name::UserName;
use crate::messages::message::{Kind, Medium, Recipient};
use crate::messages::settings::Ceilings;
use crate::rate_limit::{Buckets, Limit, network, site};

const HOUR: Duration = Duration::from_hours(1);
/// What one network can do within an hour. Many people may share an address.
const PER_NETWORK: u32 = 60;
/// And one site, which has 65,536 networks of IPv6.
const PER_SITE: u32 = 240;
/// What everybody together can ask for one name within an hour, from browsers in which nobody has signed in before: a stranger who has one network alone does
/// not keep a user from codes.
const ASKED_BY_ALL: u32 = 50;
/// And the codes that they can try. Five wrong ones make a code void, and five are sent within an hour.
const TRIED_BY_ALL: u32 = 30;
/// Buckets of each sort, at most.
const BUCKETS_MAX: usize = 50_000;

/// What a visitor asks for, or tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// To add, replace or remove a second factor, a passkey or recovery codes at `/account`. Each sends a notice.
    ChangeFactors,
    /// To change a password.
    ChangePassword,
    /// To change attributes.
    ChangeProfile,
    /// To confirm a sign-up with a code.
    ConfirmSignUp,
    /// To confirm a new password with a code.
    ConfirmReset,
    /// Another code for a sign-up.
    Resend,
    /// A code for a new password.
    Reset,
    /// A code to sign in without a password.
    SignIn,
    /// A code as the second factor. Counted apart: who has not proved the first factor must not use up what this user may do.
    SecondFactor,
    /// To sign in with a code, without a password.
    ConfirmSignIn,
    /// To end a session or the tokens of an application at `/account`.
    EndSession,
    /// To download what is known of a user.
    Export,
    /// To sign up.
    SignUp,
    /// A code for a new address.
    AskVerification,
    /// To confirm a new address with a code.
    Verify,
}

impl Operation {
    /// What a visitor can do within an hour for one name (pool §6.2).
    const fn per_hour(self) -> Sort {
        match self {
            Self::ChangePassword | Self::Export | Self::Resend | Self::Reset | Self::SignUp | Self::AskVerification => {
                Sort::Five
            }
            Self::ChangeFactors
            | Self::ChangeProfile
            | Self::EndSession
            | Self::ConfirmSignUp
            | Self::ConfirmReset
            | Self::SignIn
            | Self::SecondFactor
            | Self::ConfirmSignIn
            | Self::Verify => Sort::Fifteen,
        }
    }

    /// What everybody together can do for one name, if strangers can do it for names of others. `None`: it takes a session, a first factor or the page that
    /// follows a sign-up, and is counted by the name alone.
    const fn by_all(self) -> Option<Sort> {
        match self {
            Self::Reset | Self::SignIn | Self::SignUp => Some(Sort::AskedByAll),
            Self::ConfirmSignUp | Self::ConfirmReset | Self::ConfirmSignIn => Some(Sort::TriedByAll),
            Self::ChangeFactors
            | Self::ChangePassword
            | Self::ChangeProfile
            | Self::EndSession
            | Self::Export
            | Self::Resend
            | Self::SecondFactor
            | Self::AskVerification
            | Self::Verify => None,
        }
    }
}

/// Who asks or tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) client: IpAddr,
    /// The browser, if somebody has signed in with it before. It has a share of its own for each operation, whomever it names: others cannot use it up.
    pub(crate) browser: Option<&'a str>,
}

impl From<IpAddr> for Visitor<'_> {
    fn from(client: IpAddr) -> Self {
        Self { client, browser: None }
    }
}

/// Whom a visitor has named, or whom the name has led to. The two are counted apart: a name may look like a `sub`.
#[derive(Clone, Copy, Hash)]
enum Whom<'a> {
    Name(&'a str),
    User(&'a str),
}

/// A try at a code that may be made, as far as the visitor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    Counts,
    /// There were too many at this user, by all names together, and the next one is permitted after this time. The code must not be compared. A visitor who
    /// has not shown to be the user gets the answer to a wrong code.
    InVain(Duration),
}

/// A sort of buckets, in the order of [`VisitorBuckets`].
#[derive(Clone, Copy)]
enum Sort {
    Networks,
    /// Networks, for what takes a first factor: what is asked without one must not keep an office from its second factors.
    NetworksOfSecondFactors,
    Sites,
    Five,
    Fifteen,
    AskedByAll,
    TriedByAll,
}

/// How many within an hour, for each [`Sort`].
const HOURLY: [u32; 7] = [PER_NETWORK, PER_NETWORK, PER_SITE, 5, 15, ASKED_BY_ALL, TRIED_BY_ALL];

/// What visitors have done within the last hour. One per pool and process.
#[derive(Debug)]
pub(crate) struct Visitors(Mutex<VisitorBuckets>);

/// Of each [`Sort`].
type VisitorBuckets = [Buckets; HOURLY.len()];

impl Default for Visitors {
    fn default() -> Self {
        Self(Mutex::new(HOURLY.map(|burst| Buckets::new(hourly(burst), BUCKETS_MAX))))
    }
}

/// Why a message is not sent. For metrics and the log of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// The pool has sent its messages of this hour.
    Pool,
    /// Too many to this address.
    Destination,
    /// Too many to this user.
    User,
    /// Too many to this country, or none are sent there.
    Country,
}

/// What the pool and an address and a country have within an hour, each share as many: what uses one up takes nothing from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// What users ask for who have an account: codes for another password, and codes to sign in.
    Users,
    /// What a name or an address causes that has no account: whoever signs up names any address, and has as many as there are forms of a mailbox.
    SignUps,
    /// Codes of second factors. Only who has proved the first factor has one sent.
    SecondFactors,
}

impl Share {
    /// The share that a message counts in.
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::SecondFactor => Self::SecondFactors,
            Kind::AddressTaken | Kind::Verification => Self::SignUps,
            Kind::Reset | Kind::SignIn => Self::Users,
            // No stranger causes them, so nobody asks whether they are sent.
            Kind::AddressChanged
            | Kind::FactorAdded
            | Kind::FactorRemoved
            | Kind::Invitation
            | Kind::PasswordChanged
            | Kind::ResetByAdministrator => Self::Users,
        }
    }

    /// The name of a bucket of this share, in the database.
    fn name(self, of: &str) -> String {
        match self {
            Self::Users => of.to_owned(),
            Self::SignUps => format!("{of} sign-up"),
            Self::SecondFactors => format!("{of} second-factor"),
        }
    }
}

/// Whether a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    /// It is not. Whoever asked for it gets the same answer as if it was sent.
    Withhold(Withheld),
}

/// The limits of one pool. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pool: Arc<str>,
    vault: Vault,
    ceilings: Ceilings,
    /// See [`Sms::prefixes`](super::settings::Sms::prefixes).
    prefixes: Arc<[String]>,
    visitors: Arc<Visitors>,
}

impl Limits {
    /// Those of the pool with this name. `vault` is that of its database.
    pub(crate) fn new(
        pool: Arc<str>,
        vault: Vault,
        ceilings: Ceilings,
        prefixes: Arc<[String]>,
        visitors: Arc<Visitors>,
    ) -> Self {
        Self { pool, vault, ceilings, prefixes, visitors }
    }

    /// Counts what a visitor asks for. `name` is what was typed, in canonical form: it is counted whether there is such a user or not.
    ///
    /// # Errors
    ///
    /// How long the visitor has to wait. The answer may say so.
    pub(crate) fn admit<'v>(
        &self,
        operation: Operation,
        name: &str,
        visitor: impl Into<Visitor<'v>>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let mut buckets = self.visitors.0.lock().unwrap_or_else(PoisonError::into_inner);
        take_told(&mut buckets, operation, name, visitor.into(), now)
    }

    /// Counts a try at a code: by `name`, which was typed, as [`admit`](Self::admit) does, and by `subject`, which the name has led to. A user can have several
    /// names. What is told depends on the name alone.
    ///
    /// # Errors
    ///
    /// How long the visitor has to wait. The answer may say so.
    pub(crate) fn admit_try<'v>(
        &self,
        operation: Operation,
        (name, subject): (&str, &str),
        visitor: impl Into<Visitor<'v>>,
        now: Timestamp,
    ) -> Result<Try, Duration> {
        let visitor = visitor.into();
        let mut buckets = self.visitors.0.lock().unwrap_or_else(PoisonError::into_inner);
        take_told(&mut buckets, operation, name, visitor, now)?;
        let by_user = keys_of(&buckets, operation, Whom::User(subject), visitor).into_iter().flatten();
        Ok(take(&mut buckets, by_user, now).map_or_else(Try::InVain, |()| Try::Counts))
    }

    /// Whether a message that a stranger can have caused is sent, and counts it if so. Notices of a change are sent without asking. `subject` is the
    /// `sub` of the user, if there is one.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn may_send(
        &self,
        on: &mut Transaction<'_>,
        kind: Kind,
        to: &Recipient,
        subject: Option<&str>,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        let counted = self.counted(kind, to, subject);
        let (mut verdict, mut full_at) = (Verdict::Send, Vec::new());
        if to.medium == Medium::Sms && !self.is_allowed_country(&to.address) {
            verdict = Verdict::Withhold(Withheld::Country);
        }
        for (what, of, ceiling) in &counted {
            match (self.next(on, *what, of, *ceiling, now)?, verdict) {
                (None, Verdict::Send) => verdict = Verdict::Withhold(*what),
                (next, _) => full_at.push(next.unwrap_or(now)),
            }
        }
        if verdict == Verdict::Send {
            let rows = counted.iter().map(|(what, of, _)| (*what, of.as_str())).zip(full_at);
            self.write(on, rows)?;
        } else {
            self.write_nothing(on, &counted, now)?;
        }
        Ok(verdict)
    }

    /// Does the work of [`may_send`](Self::may_send), and counts nothing: for a name that nobody has. So the time does not tell whether a message is sent
    /// (attacks U-01).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn pretend(
        &self,
        on: &mut Transaction<'_>,
        kind: Kind,
        to: &Recipient,
        now: Timestamp,
    ) -> Result<(), Error> {
        let counted = self.counted(kind, to, Some(""));
        for (what, of, ceiling) in &counted {
            self.next(on, *what, of, *ceiling, now)?;
        }
        self.write_nothing(on, &counted, now)
    }

    /// What a message is counted by, with the ceiling of each. The pool comes first.
    fn counted(&self, kind: Kind, to: &Recipient, subject: Option<&str>) -> Vec<(Withheld, String, u32)> {
        let of_pool = match to.medium {
            Medium::Email => self.ceilings.mails,
            Medium::Sms => self.ceilings.sms,
        };
        let share = Share::of(kind);
        let mut counted = vec![(Withheld::Pool, share.name(to.medium.as_str()), of_pool)];
        // Strangers must not use up what a second factor needs, so it is not counted by the address.
        if share != Share::SecondFactors {
            counted.push((Withheld::Destination, share.name(&self.destination(to)), self.ceilings.per_destination));
        }
        counted.extend(subject.map(|subject| {
            let of = format!("{} {subject}", kind.as_str());
            (Withheld::User, of, self.ceilings.per_user)
        }));
        if to.medium == Medium::Sms {
            counted.push((Withheld::Country, share.name(country(&to.address)), self.ceilings.per_country));
        }
        counted
    }

    fn is_allowed_country(&self, number: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| number.starts_with(prefix))
    }

    /// Writes when each bucket is full again.
    fn write<'b>(
        &self,
        on: &mut Transaction<'_>,
        buckets: impl Iterator<Item = ((Withheld, &'b str), Timestamp)>,
    ) -> Result<(), Error> {
        for ((what, of), full_at) in buckets {
            let sql = "INSERT INTO message_limits (pool, kind, of, full_at) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (pool, kind, of) DO UPDATE SET full_at = excluded.full_at";
            on.execute(sql, &[Value::from(&*self.pool), what.as_str().into(), of.into(), full_at.into()])?;
        }
        Ok(())
    }

    /// Writes as much into buckets that belong to nobody and are always full. There is one of each sort, so strangers cannot make the table grow.
    fn write_nothing(
        &self,
        on: &mut Transaction<'_>,
        counted: &[(Withheld, String, u32)],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(on, counted.iter().map(|(what, ..)| ((*what, ""), now)))
    }

    /// When the bucket is full again after one more message. `None`: it is empty. The same algorithm as [`Buckets`].
    fn next(
        &self,
        on: &mut Transaction<'_>,
        what: Withheld,
        of: &str,
        ceiling: u32,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT full_at FROM message_limits WHERE pool = ?1 AND kind = ?2 AND of = ?3";
        let row = on.query_one(sql, &[Value::from(&*self.pool), what.as_str().into(), of.into()])?;
        let full_at = row.map(|mut row| row.timestamp(0)).transpose()?.unwrap_or(now);
        let Limit { burst, interval } = hourly(ceiling);
        // A time that no bucket can have was written while the clock was ahead.
        let full_at = if full_at > now + interval * burst * 2 { now } else { full_at.max(now) };
        let is_empty = full_at.since(now) > interval * (burst - 1);
        Ok((!is_empty).then(|| full_at + interval))
    }

    /// The name of a destination in the database: a keyed hash, and the same for each address of one mailbox that we know to be the same.
    fn destination(&self, to: &Recipient) -> String {
        let canonical = match to.medium {
            Medium::Email => mailbox(&to.address),
            Medium::Sms => to.address.clone(),
        };
        let place = Place { table: "message_limits", column: "of", row: &[&self.pool, to.medium.as_str()] };
        URL_SAFE_NO_PAD.encode(self.vault.authenticate(canonical.as_bytes(), &place))
    }
}

impl Withheld {
    /// As in the database.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Destination => "destination",
            Self::User => "user",
            Self::Country => "country",
        }
    }
}

/// Deletes at most `limit` buckets that are full. Returns how many.
///
/// # Errors
///
/// If the database fails.
pub(crate) fn sweep(on: &mut Transaction<'_>, pool: &str, now: Timestamp, limit: i64) -> Result<usize, Error> {
    let sql = "DELETE FROM message_limits WHERE pool = ?1 AND (kind, of) IN \
               (SELECT kind, of FROM message_limits WHERE pool = ?1 AND full_at <= ?2 LIMIT ?3)";
    on.execute(sql, &[Value::from(pool), now.into(), limit.into()])
}

/// Takes one of each bucket that the visitor may be told of, or none.
///
/// # Errors
///
/// How long the visitor has to wait.
fn take_told(
    buckets: &mut VisitorBuckets,
    operation: Operation,
    name: &str,
    visitor: Visitor<'_>,
    now: Timestamp,
) -> Result<(), Duration> {
    let network = network(visitor.client);
    let networks = match operation {
        Operation::SecondFactor => Sort::NetworksOfSecondFactors,
        _ => Sort::Networks,
    };
    let by_network = (networks, buckets[networks as usize].key(&network));
    let by_site = site(network).map(|site| (Sort::Sites, buckets[Sort::Sites as usize].key(&site)));
    let by_name = keys_of(buckets, operation, Whom::Name(name), visitor);
    take(buckets, by_name.into_iter().chain([Some(by_network), by_site]).flatten(), now)
}

/// The buckets of somebody: that of this visitor, and that of everybody together.
fn keys_of(
    buckets: &VisitorBuckets,
    operation: Operation,
    whom: Whom<'_>,
    Visitor { client, browser }: Visitor<'_>,
) -> [Option<(Sort, u64)>; 2] {
    let own = operation.per_hour();
    let key = |sort: Sort, of: &dyn Fn(&Buckets) -> u64| Some((sort, of(&buckets[sort as usize])));
    let by_all = |sort| key(sort, &|buckets| buckets.key(&(operation, whom)));
    match (operation.by_all(), browser) {
        (None, _) => [by_all(own), None],
        (Some(_), Some(browser)) => match whom {
            Whom::Name(_) => [key(own, &|buckets| buckets.key(&(operation, "browser", browser))), None],
            // The browser has been counted for the name.
            Whom::User(_) => [None, None],
        },
        (Some(all), None) => [key(own, &|buckets| buckets.key(&(operation, whom, network(client)))), by_all(all)],
    }
}

/// Takes one of each bucket, or none if one of them is empty.
///
/// # Errors
///
/// The time until there is one in each.
fn take(
    buckets: &mut VisitorBuckets,
    keys: impl Iterator<Item = (Sort, u64)> + Clone,
    now: Timestamp,
) -> Result<(), Duration> {
    let wait = keys.clone().map(|(sort, key)| buckets[sort as usize].wait(key, now)).max();
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        return Err(wait);
    }
    for (sort, key) in keys {
        buckets[sort as usize].take(key, now);
    }
    Ok(())
}

fn hourly(burst: u32) -> Limit {
    Limit { burst, interval: HOUR / burst }
}

/// An e-mail address without what many servers ignore: case, other forms of the same letters (UTS 46 maps those of a domain), and what follows `+` (RFC 5233).
fn mailbox(address: &str) -> String {
    let address = UserName::parse(address).map_or_else(|| address.to_lowercase(), |name| name.as_str().to_owned());
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or_default()),
        None => address,
    }
}

/// The start of a telephone number that says where it is: the country code (ITU-T E.164). The countries of +1 are told apart by the next three
/// digits, because some of them are expensive.
fn country(number: &str) -> &str {
    const TWO_DIGITS: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let digits = number.strip_prefix('+').unwrap_or(number);
    let length = match digits.as_bytes() {
        [b'1', ..] => 4,
        [b'7', ..] => 1,
        _ if TWO_DIGITS.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    };
    digits.get(..length).unwrap_or(digits)
}

#[cfg(test)]
mod tests;

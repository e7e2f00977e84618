//! What the use cases have in common.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::credential::hasher::{Hasher, costs};
use crate::crypto::octets;
use crate::database::{self, Transaction, Vault};
use crate::directory;
use crate::directory::StoredUsers;
use crate::directory::attribute::Attributes;
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::settings::{Alias, Usernames};
use crate::directory::user::User;
use crate::events::audit::Actor;
use crate::events::event::{Challenge, Kind as EventKind, Reason, Response, Visit};
use crate::events::log::EventLog;
use crate::factors;
use crate::memory::PoolMemory;
use crate::message::causes::with_causes;
use crate::messages::limits::{Limits, Verdict};
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::messages::outbox::Messages;
use crate::messages::outgoing::Outgoing;
use crate::page::Text;
use crate::passwords::{self, Passwords};
use crate::self_service::settings::{Address, Settings};
use crate::settings as pool;
use crate::verification::code::{CodeOf, Codes, OneTimeCode};

/// Sign-up and recovery of one pool that has a store.
#[derive(Clone, Debug)]
pub struct SelfService {
    pub(crate) stored: StoredUsers,
    pub(crate) rules: Arc<directory::settings::Settings>,
    pub(crate) settings: Arc<Settings>,
    /// The second factors.
    pub(crate) mfa: factors::settings::Settings,
    pub(crate) passwords: Passwords,
    pub(crate) codes: Codes,
    pub(crate) messages: Messages,
    pub(crate) limits: Limits,
    pub(crate) vault: Vault,
    /// The sign-in log.
    pub(crate) events: EventLog,
    /// The host of the pages, for links in messages.
    pub(crate) origin: Arc<str>,
    /// What the pool sends messages to, in order of preference.
    pub(super) sends_to: Vec<Address>,
}

/// Who brings a code.
#[derive(Clone, Debug)]
pub(crate) struct Bringer {
    /// The `sub`, or one that stands for a name that nobody has.
    pub(crate) subject: String,
    /// Whether the name came with the code. Then no page before has made sure that there is a code of this name.
    pub(crate) is_named: bool,
}

impl Bringer {
    /// The page before has named the user.
    pub(crate) const fn known(subject: String) -> Self {
        Self { subject, is_named: false }
    }
}

/// What the sign-in log says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Right,
    Wrong,
    TooMany,
}

/// Whether a code was sent, for administrators. A visitor must not learn it: that would say who is a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The process that serves sends it, or has sent it, and it is valid until then.
    To { to: Recipient, expires_at: Timestamp },
    /// One of `messages.limits` was reached.
    Withheld,
    /// The user cannot get one.
    Nothing,
}

impl Address {
    /// Where a message goes for it. `None` if the user has none.
    pub(super) fn of(self, attributes: &Attributes) -> Option<Recipient> {
        let medium = self.medium();
        attributes.get(self.attribute()).map(|address| Recipient { medium, address: address.to_owned() })
    }

    /// What takes messages there.
    pub(super) const fn medium(self) -> Medium {
        match self {
            Self::Email => Medium::Email,
            Self::PhoneNumber => Medium::Sms,
        }
    }
}

impl SelfService {
    /// `None` if the pool has no database. `memory` is that of the pool.
    pub fn new(
        pool: &pool::Settings,
        memory: &PoolMemory,
        stored: Option<&StoredUsers>,
        events: &EventLog,
    ) -> Option<Self> {
        let (outgoing, stored) = (Outgoing::new(pool, memory)?, stored?.clone());
        let addresses = [Address::Email, Address::PhoneNumber].into_iter();
        let sends_to = addresses.filter(|address| outgoing.can_send(address.medium())).collect();
        let Outgoing { codes, messages, limits, .. } = outgoing;
        let hasher = Hasher::new(pool.hashing_max, costs([]), memory.hashing.clone());
        Some(Self {
            rules: Arc::clone(&pool.directory),
            settings: Arc::clone(&pool.self_service),
            mfa: pool.mfa.clone(),
            passwords: Passwords::new(stored.clone(), pool.password_policy.clone(), hasher),
            codes,
            messages,
            limits,
            events: events.clone(),
            vault: pool.store.as_ref()?.vault.clone(),
            origin: pool.pages_url().origin().ascii_serialization().into(),
            sends_to,
            stored,
        })
    }

    /// The same, used by somebody else than the users.
    pub fn by(self, actor: &Actor) -> Self {
        Self { passwords: self.passwords.by(actor.clone()), ..self }
    }

    /// The same, with links to another host of the pool.
    pub(crate) fn at(self, origin: Arc<str>) -> Self {
        Self { origin, ..self }
    }

    /// Tells the sign-in log what became of a code. `None`: of nobody.
    pub(super) fn record(&self, who: Option<&str>, kind: EventKind, outcome: Outcome, visit: &Visit) {
        let response = if outcome == Outcome::Right { Response::Pass } else { Response::Fail };
        let event = self.events.event(who, (kind, response), visit);
        self.events.put(match outcome {
            Outcome::TooMany => event.because(Reason::TooMany),
            Outcome::Right | Outcome::Wrong => event.after(vec![(Challenge::SentCode, outcome == Outcome::Right)]),
        });
    }

    /// A name as limits count it: one spelling for all spellings that lead to the same user.
    pub(crate) fn counted_name(&self, typed: &str) -> String {
        let name = UserName::parse(typed).map(|name| self.rules.canonical(&name).as_str().to_owned());
        name.unwrap_or_else(|| typed.to_lowercase())
    }

    /// Whether users choose a name.
    pub(crate) fn are_names_chosen(&self) -> bool {
        self.rules.usernames == Usernames::Chosen
    }

    /// What users are named by, on pages.
    pub(crate) fn name_label(&self) -> Text {
        let has = |alias: Alias| self.rules.aliases.contains(&alias);
        match (self.rules.usernames, has(Alias::Email), has(Alias::PhoneNumber)) {
            (Usernames::Email, _, false) => Text::AttributeEmail,
            (Usernames::Email, _, true) => Text::SignInEmailOrPhone,
            (Usernames::Chosen, false, false) => Text::SignInUserName,
            (Usernames::Chosen, true, false) => Text::SignInUserNameOrEmail,
            (Usernames::Chosen, false, true) => Text::SignInUserNameOrPhone,
            (Usernames::Chosen, true, true) => Text::SignInUserNameEmailOrPhone,
        }
    }

    /// A message with a code to a user.
    pub(super) fn message(
        &self,
        kind: Kind,
        to: Recipient,
        user: &Record,
        code: &OneTimeCode,
        language: Option<&str>,
    ) -> Message {
        let mut message = Message::new(kind, to, user.shown_name(), Content::Code(code.clone()));
        message.subject = Some(user.subject.clone());
        message.language = language.map(str::to_owned);
        message
    }

    /// Has a message sent that a stranger can have caused, unless too many were. Nobody sees whether it is sent.
    pub(super) fn send(
        &self,
        on: &mut Transaction<'_>,
        message: &Message,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        let verdict = self.limits.may_send(on, message.kind, &message.to, message.subject.as_deref(), now)?;
        match verdict {
            Verdict::Send => self.messages.enqueue(on, message, now),
            Verdict::Withhold(_) => self.messages.pretend(on, message, now),
        }
    }

    /// The same with a code, which becomes the valid one. If its message is not sent, one that was sent before stays valid: otherwise strangers could keep
    /// its owner from using it.
    pub(super) fn send_code(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (code, pending): (&OneTimeCode, Option<&str>),
        message: &Message,
        now: Timestamp,
    ) -> Result<Sent, database::Error> {
        let verdict = self.limits.may_send(on, message.kind, &message.to, message.subject.as_deref(), now)?;
        match verdict {
            Verdict::Send => {
                self.codes.issue(on, of, code, pending)?;
                self.messages.enqueue(on, message, now)?;
                Ok(Sent::To { to: message.to.clone(), expires_at: code.expires_at() })
            }
            Verdict::Withhold(_) => {
                self.codes.issue_unsent(on, of, (code, pending), now)?;
                self.messages.pretend(on, message, now)?;
                Ok(Sent::Withheld)
            }
        }
    }

    /// Takes as long as a message with a code, where there is nobody. `medium` is that of a user's message.
    pub(super) fn send_nothing(
        &self,
        on: &mut Transaction<'_>,
        (kind, medium): (Kind, Medium),
        code: &OneTimeCode,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        let address = match medium {
            Medium::Email => "somebody@example.invalid",
            Medium::Sms => "+4930123456",
        };
        let to = Recipient { medium, address: address.to_owned() };
        self.limits.pretend(on, kind, &to, now)?;
        self.messages.pretend(on, &Message::new(kind, to, "somebody", Content::Code(code.clone())), now)
    }

    /// The user with this `sub`, if sessions of the user may count.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn user(&self, subject: &str) -> Result<Option<User>, database::Error> {
        let (records, subject) = (self.stored.records.clone(), subject.to_owned());
        let user = self.stored.database.read(move |on| records.of_subject(on, &subject)).await?;
        Ok(user.and_then(User::stored).filter(User::may_have_sessions))
    }

    /// What a user who has signed up has to confirm.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn address_of(&self, subject: &str) -> Result<Option<Address>, database::Error> {
        let (records, subject) = (self.stored.records.clone(), subject.to_owned());
        let user = self.stored.database.read(move |on| records.of_subject(on, &subject)).await?;
        Ok(user.and_then(|user| self.address_to_confirm(&user.attributes)))
    }

    /// Whoever has typed this name, after too many tries at its user: as if nobody had the name. The code of the user is not compared and loses no try, and
    /// the work is the same.
    pub(crate) fn in_vain(&self, typed: &str) -> Bringer {
        Bringer { subject: self.nobody(typed), is_named: true }
    }

    /// The `sub` that stands for a name that nobody has: always the same one, so that its codes and tries are those of one user.
    pub(super) fn nobody(&self, typed: &str) -> String {
        let name = self.counted_name(typed);
        let place = crate::database::Place { table: "codes", column: "nobody", row: &[&self.stored.records.pool] };
        // However a name is spelled: the codes of a user are the same for all spellings, too.
        let mac = self.vault.authenticate(name.as_bytes(), &place);
        octets::sha256(&mac)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What to answer if a password cannot be judged or hashed now. The operator learns why, unless it is only that there are too many.
pub(super) fn unable<T>(error: &passwords::Error, answer: T) -> T {
    if !matches!(error, passwords::Error::Busy(_)) {
        tracing::error!(error = with_causes(error), "a password cannot be set");
    }
    answer
}

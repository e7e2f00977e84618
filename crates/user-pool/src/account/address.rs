//! Another e-mail address or phone number: it comes into force with a code that was sent to it. Until then the former one stays (pool §6.4).
//!
//! An address of another user looks the same as one that nobody has, until somebody brings the code, who reads its messages therefore
//! (docs/decisions/0102). It stays with the other user also then.

use std::net::IpAddr;
use std::time::Duration;

use crate::account::gate::{Fresh, Visitor};
use crate::account::service::Account;
use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::attribute::Attributes;
use crate::directory::record::Record;
use crate::events::audit::Done;
use crate::events::event::{Challenge, Kind as EventKind, Response, Visit};
use crate::factors::browsers;
use crate::messages::limits::{Operation, Verdict};
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::secret::Secret;
use crate::self_service::settings::Address;
use crate::verification::code::{self, CodeOf, OneTimeCode, Purpose, Taken};

/// What became of the wish for another address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A code goes to it, unless too many were sent.
    Sent,
    /// It is no address of this kind.
    Wrong,
    /// It is of no domain of `sign_up.allowed_domains`.
    Domain,
    /// Too many wishes. The next one is permitted after this time.
    TooMany(Duration),
    /// The session has ended, or the user is of the configuration.
    Over,
}

/// What became of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// The address is in force.
    Yes,
    /// It is another code.
    Wrong,
    /// There were too many wrong ones: a new code is needed.
    TooManyTries,
    /// There is no code any more: a new one is needed.
    Expired,
    /// Another user signs in by it.
    Taken,
    /// Too many codes. The next one is permitted after this time.
    TooMany(Duration),
    /// The session has ended, or the user is of the configuration.
    Over,
}

const fn medium(address: Address) -> Medium {
    match address {
        Address::Email => Medium::Email,
        Address::PhoneNumber => Medium::Sms,
    }
}

pub(super) const fn of(subject: &str, address: Address) -> CodeOf<'_> {
    CodeOf { subject, purpose: Purpose::VerifyAttribute, target: address.attribute() }
}

impl Account {
    /// Whether users change it by themselves: the settings allow it, and a code can be sent. Not those whose provider says what it is
    /// ([`given_by`](Self::given_by)).
    pub(crate) fn may_change(&self, address: Address) -> bool {
        let attribute = address.attribute();
        self.outgoing.can_send(medium(address)) && self.settings.attributes.iter().any(|name| name == attribute)
    }

    /// Sends a code to another address of the user, or to the one of now, which may not be verified.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn ask_for_address(
        &self,
        who: &Fresh,
        (address, typed): (Address, &str),
        language: String,
        client: IpAddr,
    ) -> Result<Asked, Error> {
        let (attribute, now, typed) = (address.attribute(), self.clock.now(), typed.trim().to_owned());
        let mut alone = Attributes::default();
        if typed.is_empty() || alone.set(attribute, &typed).is_err() {
            return Ok(Asked::Wrong);
        }
        if address == Address::Email && self.sign_up.as_ref().is_some_and(|sign_up| !sign_up.allows(Some(&typed))) {
            return Ok(Asked::Domain);
        }
        if let Err(wait) = self.outgoing.limits.admit(Operation::AskVerification, who.subject(), client, now) {
            return Ok(Asked::TooMany(wait));
        }
        let (account, code) = (self.clone(), OneTimeCode::random(Purpose::VerifyAttribute.lifetime(), now));
        let send = move |on: &mut Transaction<'_>, user: &Record| {
            if account.given_by(user, address.attribute()).is_some() {
                return Ok(Asked::Wrong);
            }
            let to = Recipient { medium: medium(address), address: typed.clone() };
            let mut message = Message::new(Kind::Verification, to, user.shown_name(), Content::Notice);
            message.subject = Some(user.subject.clone());
            message.language = Some(language);
            // The same is seen if a limit withholds the message. Otherwise somebody would learn how many others have caused to this address.
            let (codes, limits) = (&account.outgoing.codes, &account.outgoing.limits);
            let of = of(&user.subject, address);
            match limits.may_send(on, message.kind, &message.to, message.subject.as_deref(), now)? {
                Verdict::Send => {
                    codes.issue(on, &of, &code, Some(&typed))?;
                    message.content = Content::Code(code);
                    account.outgoing.messages.enqueue(on, &message, now)?;
                }
                // Digits that were not sent must not be guessed: they stand for an address of somebody else.
                Verdict::Withhold(_) => codes.issue(on, &of, &code.that_nobody_has(), Some(&typed))?,
            }
            Ok(Asked::Sent)
        };
        Ok(self.change_user(who, send).await?.unwrap_or(Asked::Over))
    }

    /// Brings the address into force that the code was sent to, and tells the former one. Of many who bring the code at the same time, one does it.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn verify_address(
        &self,
        who: &Fresh,
        (address, typed): (Address, Secret<String>),
        client: IpAddr,
        visit: &Visit,
    ) -> Result<Verified, Error> {
        let now = self.clock.now();
        if let Err(wait) = self.outgoing.limits.admit(Operation::Verify, who.subject(), client, now) {
            return Ok(Verified::TooMany(wait));
        }
        let account = self.clone();
        let take = move |on: &mut Transaction<'_>, user: &Record| match account.outgoing.codes.take(
            on,
            &of(&user.subject, address),
            typed.expose(),
            now,
        )? {
            Taken::Right { pending: Some(new) } => account.bring_into_force(on, user, (address, &new), now),
            Taken::Right { pending: None } | Taken::Expired => Ok(Verified::Expired),
            Taken::Wrong => Ok(Verified::Wrong),
            Taken::TooMany => Ok(Verified::TooManyTries),
        };
        let verified = self.change_user(who, take).await?.unwrap_or(Verified::Over);
        let (response, is_right) = match verified {
            Verified::Yes => (Response::Pass, true),
            Verified::Taken => (Response::Fail, true),
            Verified::Wrong | Verified::TooManyTries | Verified::Expired => (Response::Fail, false),
            Verified::TooMany(_) | Verified::Over => return Ok(verified),
        };
        let what = (EventKind::AttributeChange, response);
        self.events.answered(Some(who.subject()), what, (Challenge::SentCode, is_right), visit);
        Ok(verified)
    }

    fn bring_into_force(
        &self,
        on: &mut Transaction<'_>,
        user: &Record,
        (address, new): (Address, &str),
        now: Timestamp,
    ) -> Result<Verified, Error> {
        let (records, attribute) = (&self.stored.records, address.attribute());
        let mut after = user.attributes.clone();
        if self.given_by(user, attribute).is_some() || after.set(attribute, new).is_err() {
            return Ok(Verified::Expired);
        }
        after.verify(attribute);
        if self.rules.refused_alias(on, records, (&user.attributes, &after), &user.subject)?.is_some()
            || self.rules.is_address_taken(on, records, &after, &user.subject)?
        {
            return Ok(Verified::Taken);
        }
        records.set_attributes(on, &user.subject, &after, now)?;
        // Codes that went to the former address: whoever reads its messages must not come in any more.
        code::forget(on, &records.pool, &user.subject)?;
        if self.sends_second_factor_to(attribute) {
            // Nor may whoever has had the codes of the former address, and has trusted a browser by one.
            browsers::forget_all(on, &records.pool, &user.subject)?;
        }
        let done = Done { operation: "user.address", subject: Some(&user.subject), detail: Some(attribute) };
        self.audit(on, done, now)?;
        self.tell_former(on, user, (address, Some(new)), now)?;
        Ok(Verified::Yes)
    }

    pub(super) fn sends_second_factor_to(&self, attribute: &str) -> bool {
        let factors = self.sign_in.second().map(|second| &second.settings.factors);
        factors.into_iter().flatten().any(|factor| factor.address() == Some(attribute))
    }

    /// Tells the former address, if the user has shown to have it.
    pub(super) fn tell_former(
        &self,
        on: &mut Transaction<'_>,
        user: &Record,
        (address, new): (Address, Option<&str>),
        now: Timestamp,
    ) -> Result<(), Error> {
        let attribute = address.attribute();
        let former = user.attributes.get(attribute).filter(|former| Some(*former) != new);
        let Some(former) = former.filter(|_| user.attributes.is_verified(attribute)) else { return Ok(()) };
        let to = Recipient { medium: medium(address), address: former.to_owned() };
        let mut message = Message::new(Kind::AddressChanged, to, user.shown_name(), Content::Notice);
        message.subject = Some(user.subject.clone());
        message.language = user.attributes.get("locale").map(str::to_owned);
        self.outgoing.messages.enqueue(on, &message, now)
    }

    /// The address that a code was sent to and that is not in force yet. `None` if there is none, or if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn pending_address(&self, who: &Visitor, address: Address) -> Result<Option<String>, Error> {
        let (codes, now) = (self.outgoing.codes.clone(), self.clock.now());
        let read = self.read(who, move |on, here| codes.pending(on, &of(here.subject(), address), now)).await?;
        Ok(read.flatten())
    }
}

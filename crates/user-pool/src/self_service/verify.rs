//! Confirms who has signed up: with the code or the link that was sent (pool §6.4).

use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::attribute::Attributes;
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::status::Status;
use crate::events::event::{Kind as EventKind, Response, Visit};
use crate::message::form;
use crate::messages::message::Kind;
use crate::routes;
use crate::secret::Secret;
use crate::self_service::service::{Bringer, Outcome, SelfService, Sent};
use crate::self_service::settings::Address;
use crate::verification::code::{CodeOf, OneTimeCode, Purpose, Taken};

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// The user is confirmed.
    Yes,
    /// It is another code.
    Wrong,
    /// There were too many wrong ones: a new code is needed.
    TooMany,
    /// There is no code any more: a new one is needed.
    Expired,
    /// Another user has confirmed the same address meanwhile.
    AddressTaken,
}

impl Confirmed {
    /// For the sign-in log.
    const fn outcome(self) -> Outcome {
        match self {
            Self::Yes | Self::AddressTaken => Outcome::Right,
            Self::Wrong | Self::Expired => Outcome::Wrong,
            Self::TooMany => Outcome::TooMany,
        }
    }
}

impl SelfService {
    /// Confirms a user with the code that was sent to the address. Of many who bring it at the same time, one confirms.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn confirm(
        &self,
        Bringer { subject, is_named }: Bringer,
        address: Address,
        typed: Secret<String>,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<Confirmed, Error> {
        let (service, who) = (self.clone(), subject.clone());
        let unsent = OneTimeCode::random(Purpose::SignUp.lifetime(), now);
        let work = move |on: &mut Transaction<'_>| {
            let of = CodeOf { subject: &subject, purpose: Purpose::SignUp, target: address.attribute() };
            if is_named {
                service.codes.issue_if_none(on, &of, &unsent, now)?;
            }
            // The `sub` of a link is what somebody has typed.
            let user = service.stored.records.of_subject(on, &subject)?;
            let user = service.stored.records.as_long(on, user)?;
            // The user may have another address now, which the code says nothing of.
            let has = user.as_ref().and_then(|user| user.attributes.get(address.attribute()));
            let taken = service.codes.take_sent_to(on, &of, (typed.expose(), has), now)?;
            let is_user = user.is_some();
            let confirmed = match taken {
                Taken::Right { .. } => service.settle(on, &subject, address, now)?,
                Taken::Wrong => Confirmed::Wrong,
                Taken::TooMany => Confirmed::TooMany,
                Taken::Expired => Confirmed::Expired,
            };
            Ok((confirmed, is_user))
        };
        let (confirmed, is_user) = self.stored.database.write(work).await?;
        self.record(is_user.then_some(&*who), EventKind::SignUp, confirmed.outcome(), visit);
        Ok(confirmed)
    }

    /// Who brings the code of a sign-up to a page that knows only the name that was typed, and what the code confirms. `None`: nobody confirms an address here.
    ///
    /// Where the e-mail address is the name, or is to be one, it belongs to nobody yet: then it is the newest sign-up with the address.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn confirming(&self, typed: &str) -> Result<Option<(Bringer, Address)>, Error> {
        let Some(first) = self.confirmed_address() else { return Ok(None) };
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let (service, nobody) = (self.clone(), self.nobody(typed));
        let find = move |on: &mut Transaction<'_>| {
            let records = &service.stored.records;
            let named = records.signing_in(on, &service.rules.sign_in_name(&name))?;
            let by_address = records.signed_up_with(on, name.as_str())?;
            let is_unconfirmed = |user: &Record| user.status == Status::Unconfirmed && user.is_enabled;
            records.as_long(on, named.filter(is_unconfirmed).or(by_address.filter(is_unconfirmed)))
        };
        let user = self.stored.database.read(find).await?;
        let found = user.and_then(|user| Some((self.address_to_confirm(&user.attributes)?, user.subject)));
        let (address, subject) = found.unwrap_or((first, nobody));
        Ok(Some((Bringer { subject, is_named: true }, address)))
    }

    /// What most users who sign up have to confirm. `None`: administrators confirm users, or nobody signs up.
    pub(crate) fn confirmed_address(&self) -> Option<Address> {
        self.settings.sign_up.as_ref()?.verify.first().copied()
    }

    fn settle(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        address: Address,
        now: Timestamp,
    ) -> Result<Confirmed, Error> {
        let records = &self.stored.records;
        let Some(user) = records.of_subject(on, subject)? else { return Ok(Confirmed::Expired) };
        let Ok(status) = user.status.confirmed() else { return Ok(Confirmed::Expired) };
        let mut attributes = user.attributes.clone();
        attributes.verify(address.attribute());
        if self.rules.refused_alias(on, records, (&user.attributes, &attributes), subject)?.is_some() {
            return Ok(Confirmed::AddressTaken);
        }
        // Who has confirmed a phone number has shown nothing about the e-mail address.
        if address == Address::Email && !self.rules.name_by_address(on, records, &attributes, subject)? {
            return Ok(Confirmed::AddressTaken);
        }
        records.set_attributes(on, subject, &attributes, now)?;
        records.set_status(on, subject, status, now)?;
        Ok(Confirmed::Yes)
    }

    /// Sends another code to a user who is not confirmed. To everybody else, it seems so: no visitor is told what this returns.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn resend(
        &self,
        subject: String,
        address: Address,
        language: String,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<Sent, Error> {
        let (service, code) = (self.clone(), OneTimeCode::random(Purpose::SignUp.lifetime(), now));
        let visit = visit.clone();
        let work = move |on: &mut Transaction<'_>| {
            let user = service.stored.records.of_subject(on, &subject)?;
            let user = service.stored.records.as_long(on, user)?;
            let user = user.filter(|user| user.status == Status::Unconfirmed && user.is_enabled);
            let to = user.and_then(|user| Some((address.of(&user.attributes)?, user)));
            let who = to.as_ref().map(|(_, user)| &*user.subject);
            service.events.record(who, (EventKind::ResendCode, Response::InProgress), &visit);
            match to {
                Some((to, user)) => service.ask_to_confirm(on, &user, (address, to), &code, Some(&language), now),
                None => {
                    let of = CodeOf { subject: &subject, purpose: Purpose::SignUp, target: address.attribute() };
                    service.codes.issue(on, &of, &code.that_nobody_has(), None)?;
                    service.send_nothing(on, (Kind::Verification, address.medium()), &code, now)?;
                    Ok(Sent::Nothing)
                }
            }
        };
        self.stored.database.write(work).await
    }

    /// What a user who is not confirmed has to confirm. `None`: an administrator confirms the user.
    pub fn address_to_confirm(&self, attributes: &Attributes) -> Option<Address> {
        let settings = self.settings.sign_up.as_ref()?;
        settings.verify.iter().copied().find(|address| attributes.get(address.attribute()).is_some())
    }

    /// The link of a message. It opens a page with a button, because programs follow links, too.
    pub(super) fn confirmation_link(&self, user: &Record, code: &OneTimeCode) -> Secret<String> {
        let query = form::encode([("user_name", user.subject.as_str()), ("confirmation_code", code.digits().expose())]);
        Secret::new(format!("{}{}?{query}", self.origin, routes::CONFIRM_USER))
    }
}

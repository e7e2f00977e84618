//! A user removes the phone number, unless it has to be there.

use std::net::IpAddr;
use std::time::Duration;

use crate::account::gate::Fresh;
use crate::account::service::Account;
use crate::database::{Error, Transaction};
use crate::directory::record::Record;
use crate::directory::user::User;
use crate::events::audit::Done;
use crate::events::event::{Kind, Response, Visit};
use crate::factors::browsers;
use crate::factors::rules::{self, Stays};
use crate::messages::limits::Operation;
use crate::self_service::settings::Address;
use crate::verification::code;

/// The attribute.
const PHONE: &str = Address::PhoneNumber.attribute();

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PhoneRemoved {
    Yes,
    /// Users have to have one, or a provider says what it is.
    Required,
    /// The user needs the codes that are sent to it.
    Factor(Stays),
    /// Too many changes. The next one is permitted after this time.
    TooMany(Duration),
    /// The session has ended, or the user is of the configuration.
    Over,
}

impl Account {
    /// Whether the user has a phone number that need not be there.
    pub(crate) fn may_remove_phone(&self, user: &Record) -> bool {
        let is_free = !self.is_required(PHONE) && self.given_by(user, PHONE).is_none();
        is_free && user.attributes.get(PHONE).is_some()
    }

    /// Removes the phone number of a user, and tells it, if it was verified.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn remove_phone(&self, who: &Fresh, client: IpAddr, visit: &Visit) -> Result<PhoneRemoved, Error> {
        let now = self.clock.now();
        if let Err(wait) = self.outgoing.limits.admit(Operation::ChangeProfile, who.subject(), client, now) {
            return Ok(PhoneRemoved::TooMany(wait));
        }
        let account = self.clone();
        let remove = move |on: &mut Transaction<'_>, user: &Record| {
            let (records, mut after) = (&account.stored.records, user.clone());
            if user.attributes.get(PHONE).is_none() {
                return Ok(PhoneRemoved::Yes);
            }
            if !account.may_remove_phone(user) || account.rules.change(&mut after.attributes, [(PHONE, "")]).is_err() {
                return Ok(PhoneRemoved::Required);
            }
            if let Some(stays) = account.needs_address(on, user, &after)? {
                return Ok(PhoneRemoved::Factor(stays));
            }
            records.set_attributes(on, &user.subject, &after.attributes, now)?;
            // As with another number: whoever reads its messages must not come in any more.
            code::forget(on, &records.pool, &user.subject)?;
            if account.sends_second_factor_to(PHONE) {
                browsers::forget_all(on, &records.pool, &user.subject)?;
            }
            let done = Done { operation: "user.address", subject: Some(&user.subject), detail: Some(PHONE) };
            account.audit(on, done, now)?;
            account.tell_former(on, user, (Address::PhoneNumber, None), now)?;
            Ok(PhoneRemoved::Yes)
        };
        let removed = self.change_user(who, remove).await?.unwrap_or(PhoneRemoved::Over);
        if removed == PhoneRemoved::Yes {
            self.events.record(Some(who.subject()), (Kind::AttributeChange, Response::Pass), visit);
        }
        Ok(removed)
    }

    /// Why the user cannot do without what `after` lacks. `None`: the user can.
    fn needs_address(&self, on: &mut Transaction<'_>, before: &Record, after: &Record) -> Result<Option<Stays>, Error> {
        let Some(second) = self.sign_in.second() else { return Ok(None) };
        let owned = second.factors.of(on, &before.subject)?;
        let (Some(before), Some(after)) = (User::stored(before.clone()), User::stored(after.clone())) else {
            return Ok(None);
        };
        Ok(rules::may_become(&before, &after, &owned, &second.settings).err())
    }
}

//! Another password: with the one of before, or the first one of a user who has none.

use std::net::IpAddr;

use crate::account::gate::Fresh;
use crate::account::service::Account;
use crate::credential::policy::Fault;
use crate::database::Transaction;
use crate::directory::record::Record;
use crate::directory::user::User;
use crate::events::event::{Challenge, Kind as EventKind, Reason, Response, Visit};
use crate::message::causes::with_causes;
use crate::messages::limits::Operation;
use crate::messages::message::Kind;
use crate::passwords::{self, Lasting};
use crate::secret::Secret;
use crate::signin::again::Again;
use crate::signin::known::KnownBrowser;

/// What a user has typed.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    /// The password of now. It is not looked at if the user has none.
    pub(crate) current: Secret<String>,
    pub(crate) new: Secret<String>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Changed {
    /// The user has the password, and all sessions and tokens of before have ended: also that of this browser, which needs another one.
    Yes(Box<User>),
    /// The password of now is another one.
    Wrong,
    /// Too many were wrong, or too many changes were asked for. The next one is permitted after this time.
    TooMany(std::time::Duration),
    /// The policy does not allow the new password.
    Refused(Fault),
    /// Too many passwords are being hashed.
    Busy,
    /// The session has ended, or the user was changed at the same time. A user of the configuration has no other password.
    Over,
}

impl Account {
    /// Sets another password, and ends everything that was issued before (docs/decisions/0102). The password of now counts in the same limits as one
    /// of a sign-in.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn change_password(
        &self,
        who: &Fresh,
        typed: Typed,
        (client, known): (IpAddr, Option<&KnownBrowser>),
        visit: &Visit,
    ) -> Result<Changed, crate::database::Error> {
        let here = self.read(who.visitor(), |_, here| Ok(here.record().cloned())).await?;
        let Some(user) = here.flatten() else { return Ok(Changed::Over) };
        if user.password_hash.is_some() {
            let again = self.sign_in.password_again(who.visitor().user(), typed.current, (client, known)).await;
            let refused = match again {
                Again::Right => None,
                Again::Wrong => Some((Changed::Wrong, None)),
                Again::TooMany(wait) => Some((Changed::TooMany(wait), Some(Reason::TooMany))),
                Again::Busy => return Ok(Changed::Busy),
            };
            if let Some((refused, reason)) = refused {
                self.record_refused(who, reason, visit);
                return Ok(refused);
            }
        }
        if let Err(fault) = self.passwords.check(&user, &typed.new) {
            return Ok(Changed::Refused(fault));
        }
        let now = self.clock.now();
        if let Err(wait) = self.outgoing.limits.admit(Operation::ChangePassword, who.subject(), client, now) {
            return Ok(Changed::TooMany(wait));
        }
        let new = match self.passwords.prepare(&user, typed.new, Lasting::Permanent).await {
            Ok(new) => new,
            Err(passwords::Error::Refused(fault)) => return Ok(Changed::Refused(fault)),
            Err(passwords::Error::Database(error)) => return Err(error),
            Err(passwords::Error::State(_) | passwords::Error::Changed) => return Ok(Changed::Over),
            Err(passwords::Error::Busy(_)) => return Ok(Changed::Busy),
            Err(error @ passwords::Error::BreachList(_)) => {
                tracing::error!(error = with_causes(&error), "a password cannot be set");
                return Ok(Changed::Busy);
            }
        };
        let account = self.clone();
        let set = move |on: &mut Transaction<'_>, before: &Record| {
            if new.set(on, now)?.is_none() {
                return Ok(None);
            }
            account.outgoing.notify(on, Kind::PasswordChanged, before, now)?;
            Ok(account.stored.records.of_subject(on, &before.subject)?.and_then(User::stored))
        };
        let Some(user) = self.change_user(who, set).await?.flatten() else { return Ok(Changed::Over) };
        self.events.record(Some(who.subject()), (EventKind::PasswordChange, Response::Pass), visit);
        Ok(Changed::Yes(Box::new(user)))
    }

    /// Tells the sign-in log of a password of now that was not right.
    fn record_refused(&self, who: &Fresh, reason: Option<Reason>, visit: &Visit) {
        let event = self.events.event(Some(who.subject()), (EventKind::PasswordChange, Response::Fail), visit);
        self.events.put(match reason {
            Some(reason) => event.because(reason),
            None => event.after(vec![(Challenge::Password, false)]),
        });
    }
}

//! Signing in with a code that is sent by mail, without a password (pool §5.6).

use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::status::Status;
use crate::directory::user::User;
use crate::events::event::{Kind as EventKind, Visit};
use crate::messages::message::{Kind, Medium, Recipient};
use crate::secret::Secret;
use crate::self_service::service::{Bringer, Outcome, SelfService};
use crate::verification::code::{CodeOf, OneTimeCode, Purpose, Taken};

/// The attribute with the address.
const TARGET: &str = "email";

/// What became of a code.
#[derive(Debug)]
pub(crate) enum Proved {
    /// It is right, and used up.
    Yes(Box<User>),
    /// It is another code, or there is no code any more.
    Wrong,
    /// There were too many wrong ones: a new code is needed.
    TooMany,
    /// It is right, and its user must not sign in with it any more.
    Expired,
}

impl SelfService {
    /// Whether a code signs in without a password.
    pub(crate) fn has_email_codes(&self) -> bool {
        self.mfa.email_code_is_first
    }

    /// Sends a code to the user whom somebody has named. Returns who has to bring it: the `sub`, or one that stands for a name that nobody has.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn begin_sign_in(&self, typed: &str, language: String, now: Timestamp) -> Result<String, Error> {
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let (service, code) = (self.clone(), OneTimeCode::random(Purpose::SignIn.lifetime(), now));
        let nobody = self.nobody(typed);
        let work = move |on: &mut Transaction<'_>| {
            let records = &service.stored.records;
            let user = records.signing_in(on, &service.rules.sign_in_name(&name))?;
            let user = records.as_long(on, user)?;
            let is_declared = service.rules.declared_subject(name.as_str()).is_some();
            let user = user.filter(|_| !is_declared).and_then(|user| Some((address(&user)?, user)));
            let subject = user.as_ref().map_or(nobody, |(_, user)| user.subject.clone());
            match user {
                Some((address, user)) => {
                    let to = Recipient { medium: Medium::Email, address: address.clone() };
                    let message = service.message(Kind::SignIn, to, &user, &code, Some(&language));
                    service.send_code(on, &of(&subject), (&code, Some(&address)), &message, now)?;
                }
                None => {
                    service.codes.issue(on, &of(&subject), &code.that_nobody_has(), None)?;
                    service.send_nothing(on, (Kind::SignIn, Medium::Email), &code, now)?;
                }
            }
            Ok(subject)
        };
        self.stored.database.write(work).await
    }

    /// Uses a code up. Of many who bring it at the same time, one gets the user.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn sign_in_with_code(
        &self,
        Bringer { subject, is_named }: Bringer,
        typed: Secret<String>,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<Proved, Error> {
        let (service, unsent) = (self.clone(), OneTimeCode::random(Purpose::SignIn.lifetime(), now));
        let work = move |on: &mut Transaction<'_>| {
            if is_named {
                service.codes.issue_if_none(on, &of(&subject), &unsent, now)?;
            }
            let user = service.stored.records.of_subject(on, &subject)?;
            let user = service.stored.records.as_long(on, user)?;
            let who = user.as_ref().map(|user| user.subject.clone());
            let proved = match service.codes.take(on, &of(&subject), typed.expose(), now)? {
                Taken::Right { pending } => {
                    // The user may have another address now, or be disabled.
                    let user = user.filter(|user| pending.is_some() && address(user) == pending);
                    user.and_then(User::stored).map_or(Proved::Expired, |user| Proved::Yes(Box::new(user)))
                }
                Taken::Wrong | Taken::Expired => Proved::Wrong,
                Taken::TooMany => Proved::TooMany,
            };
            Ok((proved, who))
        };
        let (proved, who) = self.stored.database.write(work).await?;
        if let Some(outcome) = proved.outcome() {
            self.record(who.as_deref(), EventKind::SignIn, outcome, visit);
        }
        Ok(proved)
    }
}

impl Proved {
    /// For the sign-in log. `None`: the sign-in goes on, and says so itself.
    const fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Yes(_) => None,
            Self::Wrong | Self::Expired => Some(Outcome::Wrong),
            Self::TooMany => Some(Outcome::TooMany),
        }
    }
}

/// Where a code goes. `None`: this user does not sign in with one. Who has to choose another password first needs the one of before, and who signs in
/// at another provider must not come in beside it.
fn address(user: &Record) -> Option<String> {
    let may = user.is_enabled && user.status == Status::Confirmed && user.attributes.is_verified(TARGET);
    user.attributes.get(TARGET).filter(|_| may).map(str::to_owned)
}

const fn of(subject: &str) -> CodeOf<'_> {
    CodeOf { subject, purpose: Purpose::SignIn, target: TARGET }
}

//! Another password, with a code that is sent (pool §6.3).

use crate::clock::Timestamp;
use crate::credential::policy;
use crate::database::{Error as DatabaseError, Transaction};
use crate::directory::attribute::Attributes;
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::events::event::{Kind as EventKind, Response, Visit};
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::passwords::{self, Lasting};
use crate::routes;
use crate::secret::Secret;
use crate::self_service::service::{Bringer, Outcome, SelfService, Sent, unable};
use crate::verification::code::{CodeOf, OneTimeCode, Purpose, Taken};

/// What the code of a recovery is about.
const TARGET: &str = "password";

/// What became of a code and a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// The user has the password, and all sessions of before have ended.
    Yes,
    /// It is another code, or there is no code any more.
    Wrong,
    /// There were too many wrong ones: a new code is needed.
    TooMany,
    /// It was right, and is of no use any more: somebody has used it up meanwhile, or its user may have no other password.
    Expired,
    /// The code is right and still good, but the user cannot have this password.
    Refused(policy::Fault),
    /// Too many passwords are being hashed.
    Busy,
}

impl SelfService {
    /// Whether users can choose another password by themselves.
    pub(crate) fn has_recovery(&self) -> bool {
        !self.settings.recovery.is_empty()
    }

    /// Sends a code to the user whom somebody has named. Returns who has to bring it: the `sub`, or one that stands for a name that nobody has.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn begin_recovery(
        &self,
        typed: &str,
        language: String,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<String, DatabaseError> {
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let (service, code) = (self.clone(), OneTimeCode::random(Purpose::Reset.lifetime(), now));
        let (nobody, visit) = (self.nobody(typed), visit.clone());
        let work = move |on: &mut Transaction<'_>| {
            let user = service.recoverable(on, &name)?;
            let subject = user.as_ref().map_or(nobody, |(user, _)| user.subject.clone());
            let who = user.as_ref().map(|(user, _)| &*user.subject);
            service.events.record(who, (EventKind::ForgotPassword, Response::InProgress), &visit);
            match user {
                Some((user, to)) => {
                    let address = to.address.clone();
                    let mut message = service.message(Kind::Reset, to, &user, &code, Some(&language));
                    message.link = Some(service.reset_link());
                    service.send_code(on, &of(&subject), (&code, Some(&address)), &message, now)?;
                }
                None => {
                    service.codes.issue(on, &of(&subject), &code.that_nobody_has(), None)?;
                    // The first of the settings is that of most users.
                    let medium = service.settings.recovery.first().map_or(Medium::Email, |address| address.medium());
                    service.send_nothing(on, (Kind::Reset, medium), &code, now)?;
                }
            }
            Ok(subject)
        };
        self.stored.database.write(work).await
    }

    /// Sends a code to a user whose password an administrator has reset. The administrator has asked for it, so no limit withholds the message.
    /// [`Sent::Nothing`]: there is no address for a code.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn send_reset(&self, user: &Record, now: Timestamp) -> Result<Sent, DatabaseError> {
        let Some(to) = self.can_recover(user) else { return Ok(Sent::Nothing) };
        let code = OneTimeCode::random(Purpose::Reset.lifetime(), now);
        let language = user.attributes.get("locale");
        let (address, sent) = (to.address.clone(), Sent::To { to: to.clone(), expires_at: code.expires_at() });
        let mut message = self.message(Kind::ResetByAdministrator, to, user, &code, language);
        message.link = Some(self.reset_link());
        let (service, subject) = (self.clone(), user.subject.clone());
        let work = move |on: &mut Transaction<'_>| {
            service.codes.issue(on, &of(&subject), &code, Some(&address))?;
            service.messages.enqueue(on, &message, now)
        };
        self.stored.database.write(work).await?;
        Ok(sent)
    }

    /// The link of a message with a code. It does not have the code: the page asks for it, and for the name.
    fn reset_link(&self) -> Secret<String> {
        Secret::new(format!("{}{}", self.origin, routes::RESET_PASSWORD))
    }

    /// Who brings a code to a page that knows only the name that was typed.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn recovering(&self, typed: &str) -> Result<Bringer, DatabaseError> {
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let (service, nobody) = (self.clone(), self.nobody(typed));
        let found = self.stored.database.read(move |on| service.recoverable(on, &name)).await?;
        Ok(Bringer { subject: found.map_or(nobody, |(user, _)| user.subject), is_named: true })
    }

    /// The user of this name, if a code can be sent to this user (pool §6.3). A user of the configuration has no other password.
    fn recoverable(
        &self,
        on: &mut Transaction<'_>,
        name: &UserName,
    ) -> Result<Option<(Record, Recipient)>, DatabaseError> {
        let user = self.stored.records.signing_in(on, &self.rules.sign_in_name(name))?;
        let user = self.stored.records.as_long(on, user)?;
        let is_declared = self.rules.declared_subject(name.as_str()).is_some();
        let user = user.filter(|user| !is_declared && user.is_enabled && user.status.recovered().is_ok());
        Ok(user.and_then(|user| Some((self.recovery_address(&user)?, user)).map(|(to, user)| (user, to))))
    }

    /// Where an administrator can send this user a code for another password. `None`: nowhere.
    pub fn can_recover(&self, user: &Record) -> Option<Recipient> {
        let is_declared = self.rules.declared_subject(&user.username).is_some();
        self.recovery_address(user).filter(|_| !is_declared && user.is_enabled && user.status.recovered().is_ok())
    }

    /// Where codes go with which the password is replaced: the first address that was verified, and whose codes are no second factor of this user (pool
    /// §6.3). Otherwise whoever reads the mail would have both factors.
    fn recovery_address(&self, user: &Record) -> Option<Recipient> {
        let mode = self.mfa.mode_of(user.groups.iter().map(String::as_str));
        let addresses = self.settings.recovery.iter().filter(|address| {
            let attribute = address.attribute();
            user.attributes.is_verified(attribute) && !self.mfa.is_factor(attribute, mode)
        });
        addresses.filter_map(|address| address.of(&user.attributes)).next()
    }

    /// Where the user is told of a new password: the first address that was verified.
    pub fn destination(&self, attributes: &Attributes) -> Option<Recipient> {
        let verified = self.settings.recovery.iter().filter(|address| attributes.is_verified(address.attribute()));
        verified.filter_map(|address| address.of(attributes)).next()
    }

    /// Sets a password, if the code is right: it also has to have gone to the address that a code would go to now. Of many who bring the code at the same
    /// time, one sets a password.
    ///
    /// The code is looked at first: what is said of a password may depend on the user, and takes longer for some.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn recover(
        &self,
        Bringer { subject, is_named }: Bringer,
        code: Secret<String>,
        password: Secret<String>,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<Recovered, DatabaseError> {
        let (service, who, typed) = (self.clone(), subject.clone(), code.clone());
        let unsent = OneTimeCode::random(Purpose::Reset.lifetime(), now);
        let look = move |on: &mut Transaction<'_>| {
            if is_named {
                service.codes.issue_if_none(on, &of(&who), &unsent, now)?;
            }
            let user = service.stored.records.of_subject(on, &who)?;
            let user = service.stored.records.as_long(on, user)?;
            let address = user.as_ref().and_then(|user| service.recovery_address(user)).map(|to| to.address);
            let of = of(&who);
            let taken = match service.codes.look_sent_to(on, &of, (typed.expose(), address.as_deref()), now)? {
                Taken::Expired => Taken::Wrong,
                taken => taken,
            };
            Ok((Recovered::of(&taken), user))
        };
        let user = match self.stored.database.write(look).await? {
            (Some(not_right), user) => {
                let who = user.as_ref().map(|user| &*user.subject);
                self.record(who, EventKind::ForgotPassword, not_right.outcome(), visit);
                return Ok(not_right);
            }
            (None, user) => user.filter(|user| user.is_enabled && user.status.recovered().is_ok()),
        };
        let Some(user) = user else { return Ok(Recovered::Expired) };
        let new = match self.passwords.prepare(&user, password, Lasting::Permanent).await {
            Ok(new) => new,
            Err(passwords::Error::Refused(fault)) => return Ok(Recovered::Refused(fault)),
            Err(passwords::Error::Database(error)) => return Err(error),
            Err(passwords::Error::State(_) | passwords::Error::Changed) => return Ok(Recovered::Expired),
            Err(error) => return Ok(unable(&error, Recovered::Busy)),
        };
        let notice = self.password_notice(&user);
        let (service, who) = (self.clone(), subject.clone());
        let work = move |on: &mut Transaction<'_>| {
            // The password was hashed meanwhile, and the user may have another address now.
            let user = service.stored.records.of_subject(on, &subject)?;
            let address = user.and_then(|user| service.recovery_address(&user)).map(|to| to.address);
            let taken = service.codes.take_sent_to(on, &of(&subject), (code.expose(), address.as_deref()), now)?;
            if let Some(not_right) = Recovered::of(&taken) {
                return Ok(not_right);
            }
            if new.set(on, now)?.is_none() {
                return Ok(Recovered::Expired);
            }
            if let Some(notice) = notice {
                service.messages.enqueue(on, &notice, now)?;
            }
            Ok(Recovered::Yes)
        };
        let recovered = self.stored.database.write(work).await?;
        self.record(Some(&who), EventKind::ForgotPassword, recovered.outcome(), visit);
        Ok(recovered)
    }

    /// Tells a user that the password has changed.
    pub(super) fn password_notice(&self, user: &Record) -> Option<Message> {
        let to = self.destination(&user.attributes)?;
        let mut message = Message::new(Kind::PasswordChanged, to, user.shown_name(), Content::Notice);
        message.language = user.attributes.get("locale").map(str::to_owned);
        message.subject = Some(user.subject.clone());
        Some(message)
    }
}

const fn of(subject: &str) -> CodeOf<'_> {
    CodeOf { subject, purpose: Purpose::Reset, target: TARGET }
}

impl Recovered {
    /// For the sign-in log.
    const fn outcome(self) -> Outcome {
        match self {
            Self::Yes => Outcome::Right,
            Self::TooMany => Outcome::TooMany,
            Self::Wrong | Self::Expired | Self::Refused(_) | Self::Busy => Outcome::Wrong,
        }
    }

    /// What to say of a code. `None`: it is right.
    const fn of(taken: &Taken) -> Option<Self> {
        match taken {
            Taken::Right { .. } => None,
            Taken::Wrong => Some(Self::Wrong),
            Taken::TooMany => Some(Self::TooMany),
            Taken::Expired => Some(Self::Expired),
        }
    }
}

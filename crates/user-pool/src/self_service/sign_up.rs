//! Sign-up (pool §2.2, §6.4): adds a user who has to confirm an address.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::policy;
use crate::crypto::uuid;
use crate::database::{Error as DatabaseError, Transaction};
use crate::directory::attribute::{Attributes, Fault, is_email};
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::settings::{Alias, Usernames};
use crate::directory::status::Status;
use crate::events::event::{Kind as EventKind, Response, Visit};
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::passwords::{self, FirstPassword, Lasting};
use crate::routes;
use crate::secret::Secret;
use crate::self_service::service::{SelfService, Sent, unable};
use crate::self_service::settings::{Address, SignUp};
use crate::verification::code::{CodeOf, OneTimeCode, Purpose};

/// Users who have signed up and were not confirmed are deleted after this. An administrator may have to confirm them, who is not there every day.
const UNCONFIRMED_FOR: Duration = Duration::from_hours(14 * 24);
/// As many of them are kept, the newest ones.
const UNCONFIRMED_MAX: i64 = 100_000;

/// A form that was sent.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where users choose one.
    pub(crate) username: String,
    /// Names and values, the e-mail address among them.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) password: Secret<String>,
    /// The tag of the language of the page.
    pub(crate) language: String,
    /// Who has sent it.
    pub(crate) visit: Visit,
}

/// Somebody has signed up, or seems to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedUp {
    /// `sub`.
    pub(crate) subject: String,
    /// What has to be confirmed. `None`: an administrator confirms the user.
    pub(crate) address: Option<Address>,
}

/// Why nobody was added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("nobody can sign up")]
    Closed,
    #[error("addresses of this domain cannot sign up")]
    Domain,
    #[error("no user name")]
    Username,
    #[error("the user name looks like an alias")]
    LooksLikeAlias(Alias),
    #[error("the user name is taken")]
    Taken,
    #[error("the preferred user name is taken")]
    AliasTaken,
    #[error(transparent)]
    Attribute(Fault),
    #[error("the attribute `{0}` is missing")]
    Missing(String),
    #[error(transparent)]
    Password(policy::Fault),
    #[error("too many passwords are being hashed")]
    Busy,
    #[error("the database fails")]
    Database(#[from] DatabaseError),
}

/// Somebody else has the address.
struct Owner {
    subject: String,
    name: String,
}

/// A form that can be taken, and what it needs.
struct Sound {
    record: Record,
    password: FirstPassword,
    name: UserName,
    /// What has to be confirmed, and where the code goes.
    confirm: Option<(Address, Recipient)>,
    code: OneTimeCode,
    language: String,
    visit: Visit,
}

impl SelfService {
    /// Who may sign up. `None`: nobody.
    pub(crate) fn sign_up_settings(&self) -> Option<&SignUp> {
        self.settings.sign_up.as_ref()
    }

    /// Attributes that somebody who signs up has to give, without the one that is the name.
    pub(crate) fn asked_at_sign_up(&self) -> Vec<&str> {
        let settings = self.settings.sign_up.as_ref();
        let verified = settings.map(|settings| &settings.verify[..]).unwrap_or_default();
        // Of several, the first that the user gives is confirmed. One alone is needed.
        let verified = verified.iter().filter(|_| verified.len() == 1).map(|address| address.attribute());
        let mut asked: Vec<&str> = match self.rules.usernames {
            Usernames::Email => vec!["email"],
            Usernames::Chosen => Vec::new(),
        };
        for name in verified.chain(self.rules.required.iter().map(String::as_str)) {
            if !asked.contains(&name) {
                asked.push(name);
            }
        }
        asked
    }

    /// Adds a user who is not confirmed, and sends a code. If the address is another user's, that user is told instead. Nobody can confirm the new one
    /// then, which is all that differs: neither an answer nor what is written tells who has the address (attacks U-01).
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) async fn sign_up(&self, form: Form, now: Timestamp) -> Result<SignedUp, Refused> {
        let settings = self.settings.sign_up.clone().ok_or(Refused::Closed)?;
        let (username, attributes) = self.judge(&form, &settings)?;
        let subject = uuid::random();
        let username = username.unwrap_or_else(|| subject.clone());
        let name = UserName::parse(&username).ok_or(Refused::Username)?;
        let shown = attributes.get("email").filter(|_| self.rules.usernames == Usernames::Email).unwrap_or(&username);
        let first = self.passwords.first(shown, &attributes, form.password, Lasting::Permanent).await;
        let password = first.map_err(|error| match error {
            passwords::Error::Refused(fault) => Refused::Password(fault),
            passwords::Error::Database(error) => Refused::Database(error),
            error => unable(&error, Refused::Busy),
        })?;
        let confirm = settings.verify.iter().find_map(|address| Some((*address, address.of(&attributes)?)));
        let record = Record {
            subject,
            username,
            status: Status::Unconfirmed,
            is_enabled: true,
            attributes,
            password_hash: None,
            password_set_at: None,
            temporary_until: None,
            epoch: 0,
            created_at: now,
            modified_at: now,
            groups: Vec::new(),
            identities: Vec::new(),
        };
        let code = OneTimeCode::random(Purpose::SignUp.lifetime(), now);
        let sound = Sound { record, password, name, confirm, code, language: form.language, visit: form.visit };
        let service = self.clone();
        self.stored.database.write(move |on| service.add(on, &sound, now)).await?
    }

    /// The user name, if users choose one, and the attributes.
    fn judge(&self, form: &Form, settings: &SignUp) -> Result<(Option<String>, Attributes), Refused> {
        let given = form.attributes.iter().map(|(name, value)| (name.as_str(), value.trim()));
        let given = given.filter(|(_, value)| !value.is_empty());
        let attributes = self.rules.create(given).map_err(Refused::Attribute)?;
        let missing = self.asked_at_sign_up().into_iter().find(|name| attributes.get(name).is_none());
        if let Some(missing) = missing {
            return Err(Refused::Missing(missing.to_owned()));
        }
        if !settings.allows(attributes.get("email")) {
            return Err(Refused::Domain);
        }
        if self.rules.usernames == Usernames::Email {
            return Ok((None, attributes));
        }
        let typed = form.username.trim();
        let name = UserName::parse(typed).filter(UserName::may_be_new).ok_or(Refused::Username)?;
        // It is, or will be, that of a user of another provider.
        if self.rules.is_reserved(&name) {
            return Err(Refused::Taken);
        }
        match self.rules.alias_like(&name) {
            Some(alias) => Err(Refused::LooksLikeAlias(alias)),
            None => Ok((Some(typed.to_owned()), attributes)),
        }
    }

    fn add(
        &self,
        on: &mut Transaction<'_>,
        sound: &Sound,
        now: Timestamp,
    ) -> Result<Result<SignedUp, Refused>, DatabaseError> {
        let (records, record) = (&self.stored.records, &sound.record);
        let address = sound.confirm.as_ref().map(|(address, _)| *address);
        // Nothing is verified yet, so the alias is `preferred_username`.
        let (none, attributes) = (Attributes::default(), &record.attributes);
        if self.rules.refused_alias(on, records, (&none, attributes), &record.subject)?.is_some() {
            return Ok(Err(Refused::AliasTaken));
        }
        let is_taken = self.rules.conflict(on, records, (&sound.name, None), &record.subject)?.is_some();
        if is_taken || !records.add(on, record, &sound.name)? {
            return Ok(Err(Refused::Taken));
        }
        self.events.record(Some(&record.subject), (EventKind::SignUp, Response::InProgress), &sound.visit);
        sound.password.set(on, records, &record.subject, now)?;
        match &sound.confirm {
            Some(to) => {
                self.ask_to_confirm(on, record, to.clone(), &sound.code, Some(&sound.language), now).map(drop)?;
            }
            None => match self.owner(on, attributes)? {
                Some(owner) => self.tell(on, &owner, attributes, Some(&sound.language), now)?,
                None => self.send_nothing(on, (Kind::AddressTaken, Medium::Email), &sound.code, now)?,
            },
        }
        Ok(Ok(SignedUp { subject: record.subject.clone(), address }))
    }

    /// Sends the code that confirms a user who has signed up. If the address is another user's, that user is told, and nobody has the code. There is one
    /// nevertheless, so that wrong tries count.
    pub(super) fn ask_to_confirm(
        &self,
        on: &mut Transaction<'_>,
        user: &Record,
        (address, to): (Address, Recipient),
        code: &OneTimeCode,
        language: Option<&str>,
        now: Timestamp,
    ) -> Result<Sent, DatabaseError> {
        let of = CodeOf { subject: &user.subject, purpose: Purpose::SignUp, target: address.attribute() };
        let owner = self.owner(on, &user.attributes)?;
        if let Some(owner) = owner.filter(|_| address == Address::Email) {
            self.codes.issue(on, &of, &code.that_nobody_has(), None)?;
            self.tell(on, &owner, &user.attributes, language, now)?;
            return Ok(Sent::Nothing);
        }
        let sent_to = to.address.clone();
        let link = (to.medium == Medium::Email).then(|| self.confirmation_link(user, code));
        let mut message = self.message(Kind::Verification, to, user, code, language);
        message.link = link;
        self.send_code(on, &of, (code, Some(&sent_to)), &message, now)
    }

    /// Who signs in by the e-mail address already.
    fn owner(&self, on: &mut Transaction<'_>, attributes: &Attributes) -> Result<Option<Owner>, DatabaseError> {
        let Some(email) = attributes.get("email").filter(|email| is_email(email)) else { return Ok(None) };
        let Some(name) = UserName::parse(email) else { return Ok(None) };
        let owner = self.stored.records.signing_in(on, &self.rules.sign_in_name(&name).by_address())?;
        let owner = self.stored.records.as_long(on, owner)?;
        if self.rules.usernames == Usernames::Email && self.rules.declared_subject(name.as_str()).is_some() {
            return Ok(Some(Owner { subject: String::new(), name: email.to_owned() }));
        }
        Ok(owner.map(|user| Owner { name: user.shown_name().to_owned(), subject: user.subject }))
    }

    /// Tells the owner of the address among `attributes`.
    fn tell(
        &self,
        on: &mut Transaction<'_>,
        owner: &Owner,
        attributes: &Attributes,
        language: Option<&str>,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let Some(email) = attributes.get("email") else { return Ok(()) };
        let to = Recipient { medium: Medium::Email, address: email.to_owned() };
        let mut message = Message::new(Kind::AddressTaken, to, &owner.name, Content::Notice);
        message.subject = Some(owner.subject.clone()).filter(|subject| !subject.is_empty());
        message.link = Some(Secret::new(format!("{}{}", self.origin, routes::FORGOT_PASSWORD)));
        message.language = language.map(str::to_owned);
        self.send(on, &message, now)
    }
}

/// Deletes at most `limit` users who have signed up long ago and never confirmed, or before many others who have not, so that strangers do not fill the
/// table. Returns how many.
///
/// # Errors
///
/// If the database fails.
pub(crate) fn sweep(on: &mut Transaction<'_>, pool: &str, now: Timestamp, limit: i64) -> Result<usize, DatabaseError> {
    sweep_beyond(on, pool, UNCONFIRMED_MAX, now, limit)
}

fn sweep_beyond(
    on: &mut Transaction<'_>,
    pool: &str,
    most: i64,
    now: Timestamp,
    limit: i64,
) -> Result<usize, DatabaseError> {
    let before = Timestamp::from_seconds(now.seconds().saturating_sub(UNCONFIRMED_FOR.as_secs()));
    let sql = "DELETE FROM users WHERE pool = ?1 AND sub IN (SELECT sub FROM users \
               WHERE pool = ?1 AND status = 'UNCONFIRMED' AND created_at < ?2 ORDER BY created_at LIMIT ?3)";
    let old = on.execute(sql, &[pool.into(), before.into(), limit.into()])?;
    // Those after the newest ones.
    let sql = "DELETE FROM users WHERE pool = ?1 AND sub IN (SELECT sub FROM users \
               WHERE pool = ?1 AND status = 'UNCONFIRMED' ORDER BY created_at DESC LIMIT ?3 OFFSET ?2)";
    Ok(old + on.execute(sql, &[pool.into(), most.into(), limit.into()])?)
}

#[cfg(test)]
mod tests;

//! What the use cases of a pool send messages by.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::record::Record;
use crate::memory::PoolMemory;
use crate::messages::limits::{Limits, Verdict};
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::messages::outbox::Messages;
use crate::settings::Settings;
use crate::verification::code::{CodeOf, Codes, OneTimeCode};

/// Codes, messages and limits of one pool with a database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(crate) codes: Codes,
    pub(crate) messages: Messages,
    pub(crate) limits: Limits,
    has_mail: bool,
    has_sms: bool,
}

impl Outgoing {
    /// `None` if the pool has no database. `memory` is that of the pool.
    pub fn new(settings: &Settings, memory: &PoolMemory) -> Option<Self> {
        let store = settings.store.as_ref()?;
        let (pool, vault) = (&settings.name, &store.vault);
        let prefixes = settings.messages.sms.as_ref().map(|sms| sms.prefixes.clone()).unwrap_or_default();
        let (ceilings, visitors) = (settings.messages.limits, Arc::clone(&memory.visitors));
        Some(Self {
            codes: Codes::new(Arc::clone(pool), vault.clone()),
            messages: Messages::new(Arc::clone(pool), vault.clone(), Arc::clone(&memory.messages_added)),
            limits: Limits::new(Arc::clone(pool), vault.clone(), ceilings, prefixes.into(), visitors),
            has_mail: settings.messages.mail.is_some(),
            has_sms: settings.messages.sms.is_some(),
        })
    }

    /// Whether the pool has what takes such messages to users.
    pub(crate) fn can_send(&self, medium: Medium) -> bool {
        match medium {
            Medium::Email => self.has_mail,
            Medium::Sms => self.has_sms,
        }
    }

    /// Makes `code` valid and has it sent by `message`, which gets it as its content. If a limit withholds the message, a code that was sent before stays
    /// valid. Whoever asked for it gets the same answer in both cases.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn send_code(
        &self,
        on: &mut Transaction<'_>,
        of: &CodeOf<'_>,
        (code, pending): (OneTimeCode, Option<&str>),
        message: Message,
        now: Timestamp,
    ) -> Result<Verdict, Error> {
        let verdict = self.limits.may_send(on, message.kind, &message.to, message.subject.as_deref(), now)?;
        if verdict == Verdict::Send {
            self.codes.issue(on, of, &code, pending)?;
            self.messages.enqueue(on, &Message { content: Content::Code(code), ..message }, now)?;
        }
        Ok(verdict)
    }

    /// Tells a user that something was changed: by mail, or else by SMS, if the user has a verified address for what the pool has. No limit withholds it:
    /// whoever has changed something had to sign in.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn notify(
        &self,
        on: &mut Transaction<'_>,
        kind: Kind,
        user: &Record,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(to) = self.address_of(user) else { return Ok(()) };
        let mut message = Message::new(kind, to, user.shown_name(), Content::Notice);
        message.subject = Some(user.subject.clone());
        message.language = user.attributes.get("locale").map(str::to_owned);
        self.messages.enqueue(on, &message, now)
    }

    fn address_of(&self, user: &Record) -> Option<Recipient> {
        let verified = |attribute, verified| {
            let is_verified = user.attributes.get(verified) == Some("true");
            user.attributes.get(attribute).filter(|_| is_verified)
        };
        let mail = verified("email", "email_verified").filter(|_| self.has_mail).map(|to| (Medium::Email, to));
        let sms =
            || verified("phone_number", "phone_number_verified").filter(|_| self.has_sms).map(|to| (Medium::Sms, to));
        let (medium, address) = mail.or_else(sms)?;
        Some(Recipient { medium, address: address.to_owned() })
    }
}

#[cfg(test)]
mod tests;

//! Codes that are sent to the user as a second factor (pool §6.1).
//!
//! Only who has proved a first factor gets here, so nobody else has messages sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::credential::totp;
use crate::database::{self, Transaction};
use crate::directory::user::User;
use crate::factors::settings::Factor;
use crate::messages::limits::Operation;
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::signin::password::SignIn;
use crate::signin::second::{Answer, From};
use crate::signin::step::UnderWay;
use crate::verification::code::{CodeOf, OneTimeCode, Purpose, Taken};

/// What became of the wish for a code.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The address that it goes to, of which only a little can be read.
    pub(crate) masked: String,
    /// How long to wait, if too many codes were wanted. None was sent then.
    pub(crate) too_many: Option<Duration>,
}

impl SignIn {
    /// Has a code sent. `None` if the user has no such address any more, has another password, is disabled, or does not exist.
    ///
    /// If too many messages were sent, nothing is sent, and nobody learns it: a code of before stays valid.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn send_code(
        &self,
        under_way: &UnderWay,
        factor: Factor,
        language: &str,
        client: IpAddr,
    ) -> Result<Option<Sent>, database::Error> {
        let Some(second) = self.second.clone() else { return Ok(None) };
        let database = Arc::clone(&second.database);
        let Some((user, ())) = self.user_of(under_way, |_| Ok(())).await? else { return Ok(None) };
        let Some(to) = recipient(&user, factor) else { return Ok(None) };
        let (masked, now) = (to.masked(), self.clock.now());
        let admitted = second.outgoing.limits.admit(Operation::SecondFactor, user.subject(), client, now);
        if let Err(wait) = admitted {
            return Ok(Some(Sent { masked, too_many: Some(wait) }));
        }
        let code = OneTimeCode::random(Purpose::SecondFactor.lifetime(), now);
        let address = to.address.clone();
        let mut message = Message::new(Kind::SecondFactor, to, user.shown_name(), Content::Notice);
        // The rows of a user who is deleted go with the user. Nobody deletes those of a user of the configuration.
        message.subject = user.is_stored().then(|| user.subject().to_owned());
        message.language = Some(language.to_owned());
        let send = move |on: &mut Transaction<'_>| {
            let of = code_of(user.subject(), factor);
            second.outgoing.send_code(on, &of, (code, Some(&address)), message, now)
        };
        database.write(send).await?;
        Ok(Some(Sent { masked, too_many: None }))
    }

    /// Verifies a code that was sent, and uses it up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn sent_code(
        &self,
        under_way: &UnderWay,
        factor: Factor,
        typed: &str,
        from: From<'_>,
    ) -> Result<Answer, database::Error> {
        if !totp::is_code(typed) {
            return Ok(Answer::Wrong);
        }
        let (typed, now) = (typed.to_owned(), self.clock.now());
        self.answer(under_way, from, |second, user| async move {
            let database = Arc::clone(&second.database);
            let take = move |on: &mut Transaction<'_>| {
                let address = recipient(&user, factor).map(|to| to.address);
                let taken = second.outgoing.codes.take(on, &code_of(user.subject(), factor), &typed, now)?;
                Ok(match taken {
                    Taken::Right { pending } if pending == address => Answer::Right,
                    // The user has another address now.
                    Taken::Right { .. } | Taken::Expired => Answer::NoCode,
                    Taken::Wrong => Answer::Wrong,
                    Taken::TooMany => Answer::TooManyTries,
                })
            };
            database.write(take).await
        })
        .await
    }
}

fn recipient(user: &User, factor: Factor) -> Option<Recipient> {
    let medium = match factor {
        Factor::Email => Medium::Email,
        Factor::Sms => Medium::Sms,
        Factor::Passkey | Factor::Totp => return None,
    };
    user.verified(factor.address()?).map(|address| Recipient { medium, address: address.to_owned() })
}

const fn code_of(subject: &str, factor: Factor) -> CodeOf<'_> {
    CodeOf { subject, purpose: Purpose::SecondFactor, target: factor.name() }
}

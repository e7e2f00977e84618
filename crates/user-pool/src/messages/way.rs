//! From a message of the outbox to an answer of its server.

use std::sync::Arc;

use crate::backchannel::call::Backchannel;
use crate::backchannel::network::{self, Network};
use crate::clock::Clock;
use crate::message::BoxError;
use crate::messages::courier::smtp::Smtp;
use crate::messages::courier::twilio::Twilio;
use crate::messages::courier::webhook::Webhook;
use crate::messages::courier::{Courier, Letter, Undelivered};
use crate::messages::frame::{Frame, Picture};
use crate::messages::message::Medium;
use crate::messages::queue::Due;
use crate::messages::render::Values;
use crate::messages::settings::{MailBy, Settings, Sms, SmsBy};
use crate::messages::texts::Texts;
use crate::page::settings::Settings as Look;

/// What messages of a pool say, and what brings them to servers.
#[derive(Debug)]
pub struct Way {
    mail: Option<Courier>,
    sms: Option<Courier>,
    texts: Texts,
    frame: Frame,
    title: String,
    host: String,
}

impl Way {
    /// The way of these settings. `look` is that of the pages, `title` that of the pool, and `host` its host. Must be called in the context of the runtime on which messages are
    /// sent.
    ///
    /// # Errors
    ///
    /// If the client for a server cannot be made.
    pub fn new(
        settings: &Settings,
        look: &Look,
        (title, host): (Option<&str>, &str),
        clock: &Clock,
    ) -> Result<Self, BoxError> {
        let mail = settings.mail.as_ref().map(|mail| match mail {
            MailBy::Smtp(mail) => Smtp::new(mail, host, Picture::of(look)).map(Courier::Smtp),
            MailBy::Console(console) => Ok(Courier::Console(console.clone())),
        });
        let sms = settings.sms.as_ref().map(|sms| courier_of_sms(sms, clock));
        let title = title.unwrap_or(host).to_owned();
        let texts = settings.texts.clone();
        let (mail, sms, frame) = (mail.transpose()?, sms.transpose()?, Frame::new(look));
        Ok(Self { mail, sms, texts, frame, title, host: host.to_owned() })
    }

    fn courier(&self, medium: Medium) -> Option<&Courier> {
        match medium {
            Medium::Email => self.mail.as_ref(),
            Medium::Sms => self.sms.as_ref(),
        }
    }

    /// Renders a message and brings it to its server. Returns what that has answered.
    pub async fn send(&self, due: &Due) -> Result<String, Undelivered> {
        let Some(courier) = self.courier(due.medium) else {
            let setting = match due.medium {
                Medium::Email => "mail",
                Medium::Sms => "sms",
            };
            return Err(Undelivered::Later(format!("the pool has no `{setting}`")));
        };
        let values = Values {
            username: &due.body.username,
            secret: due.body.secret.as_ref().map(|secret| secret.expose().as_str()),
            link: due.body.link.as_ref().map(|link| link.expose().as_str()),
            lifetime: due.expires_at.since(due.created_at),
            title: &self.title,
            host: &self.host,
            frame: &self.frame,
        };
        let texts = self.texts.render(due.kind, due.medium, due.body.language.as_deref(), &values);
        let letter =
            Letter { id: &due.id, kind: due.kind, to: &due.body.to, written_at: due.created_at, texts: &texts };
        courier.deliver(&letter).await
    }
}

fn courier_of_sms(sms: &Sms, clock: &Clock) -> Result<Courier, BoxError> {
    let way = network::Settings { roots: sms.roots.clone(), allow_http_loopback: true, ..network::Settings::default() };
    let network = || -> Result<Arc<dyn Backchannel>, BoxError> { Ok(Arc::new(Network::new(&way)?)) };
    Ok(match &sms.by {
        SmsBy::Webhook { url, secret } => {
            Courier::Webhook(Box::new(Webhook::new(url.clone(), secret, network()?, clock.clone())))
        }
        SmsBy::Twilio { url, account_sid, auth_token, sender } => {
            Courier::Twilio(Twilio::new(url, account_sid, auth_token, sender.clone(), network()?))
        }
        SmsBy::Console(console) => Courier::Console(console.clone()),
    })
}

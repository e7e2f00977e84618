//! E-mail by SMTP (RFC 5321, RFC 8314), over `lettre`.

use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::crypto::provider;
use crate::message::BoxError;
use crate::message::causes::with_causes;
use crate::messages::courier::letter::{Letter, Undelivered};
use crate::messages::frame::{LOGO_ID, Picture};
use crate::messages::settings::{Mail, Security};
use crate::secret::Secret;

/// For the connection and for each answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Letters of an answer of the server that are kept.
const ANSWER_MAX: usize = 200;

/// Sends mail through one server, each mail over a connection of its own. lettre's pool of connections needs a runtime when it is dropped, and a
/// configuration may be dropped anywhere.
#[derive(Debug)]
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// The right side of `Message-ID`.
    host: Box<str>,
    /// The logo of mails that show it.
    logo: Option<Picture>,
}

impl Smtp {
    /// Prepares the client. `host` is the host of the pool: our name at the server.
    ///
    /// # Errors
    ///
    /// If a certificate authority is not one, which the configuration has checked.
    pub(crate) fn new(mail: &Mail, host: &str, logo: Option<Picture>) -> Result<Self, BoxError> {
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(mail.host.clone())
            .port(mail.port)
            .timeout(Some(ANSWER_TIMEOUT))
            .tls(tls(mail)?)
            .hello_name(ClientId::Domain(host.to_owned()));
        if let Some(credentials) = &mail.credentials {
            let password = credentials.password.expose().clone();
            transport = transport
                .credentials(Credentials::new(credentials.username.clone(), password))
                .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(Self {
            transport: transport.build(),
            from: mail.from.clone(),
            reply_to: mail.reply_to.clone(),
            host: host.into(),
            logo,
        })
    }

    pub(super) async fn deliver(
        &self,
        letter: &Letter<'_>,
        subject: &Secret<String>,
        text: &Secret<String>,
        html: &Secret<String>,
    ) -> Result<String, Undelivered> {
        let message = self.message(letter, subject, text, html)?;
        match self.transport.send(message).await {
            Ok(answer) => Ok(short(&format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")))),
            Err(error) => Err(undelivered(&error)),
        }
    }

    fn message(
        &self,
        letter: &Letter<'_>,
        subject: &Secret<String>,
        text: &Secret<String>,
        html: &Secret<String>,
    ) -> Result<Message, Undelivered> {
        // What is no address is refused here, so that no line of it becomes a header.
        let to: Address =
            letter.to.parse().map_err(|_| Undelivered::Never("the address is no e-mail address".to_owned()))?;
        let mut message = Message::builder()
            .message_id(Some(format!("<{}@{}>", letter.id, self.host)))
            .date(letter.written_at.to_system_time())
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject.expose().clone())
            .header(AutoSubmitted);
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        let (plain, html) = (SinglePart::plain(text.expose().clone()), html.expose());
        let shown = self.logo.as_ref().filter(|_| html.contains(&format!("\"cid:{LOGO_ID}\"")));
        let html = SinglePart::html(html.clone());
        let parts = MultiPart::alternative().singlepart(plain);
        let parts = match shown.map(attachment).transpose()? {
            // RFC 2387: the HTML comes first, and what it shows after it.
            Some(logo) => parts.multipart(MultiPart::related().singlepart(html).singlepart(logo)),
            None => parts.singlepart(html),
        };
        message.multipart(parts).map_err(|error| Undelivered::Never(format!("the mail cannot be made: {error}")))
    }
}

/// A picture that the HTML of the mail shows.
fn attachment(picture: &Picture) -> Result<SinglePart, Undelivered> {
    let media_type = ContentType::parse(&picture.media_type);
    let media_type = media_type.map_err(|_| Undelivered::Never("the logo has no media type".to_owned()))?;
    Ok(Attachment::new_inline(LOGO_ID.to_owned()).body(picture.bytes.clone(), media_type))
}

/// RFC 3834 §5: nobody answers that he is on holiday.
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, BoxError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn tls(mail: &Mail) -> Result<Tls, BoxError> {
    let wrapped: fn(TlsParameters) -> Tls = match mail.security {
        Security::Plain => return Ok(Tls::None),
        Security::StartTls => Tls::Required,
        Security::Tls => Tls::Wrapper,
    };
    // The authorities of the process, instead of those that lettre would read for each client again.
    let mut parameters = TlsParameters::builder(mail.host.clone()).certificate_store(CertificateStore::None);
    let usable = provider::system_roots().iter().filter(|root| {
        // The system may have some that rustls does not take. lettre would fail because of one.
        rustls::RootCertStore::empty().add((*root).clone()).is_ok()
    });
    for root in usable.chain(&mail.roots) {
        parameters = parameters.add_root_certificate(Certificate::from_der(root.to_vec())?);
    }
    Ok(wrapped(parameters.build_rustls()?))
}

/// A refusal of this message is final. A refusal of the sender, of the credentials or of everything is for the operator to mend, and another try may
/// come after that.
fn undelivered(error: &Error) -> Undelivered {
    let cause = short(&with_causes(error).to_string());
    let code = error.status().map(|code| code.to_string());
    // RFC 4954 §6, RFC 3207 §4: authentication or TLS is required or refused. RFC 5321 §3.8: the server closes.
    let is_ours = matches!(code.as_deref(), Some("421" | "454" | "530" | "534" | "535" | "538" | "554"));
    if error.is_permanent() && !is_ours { Undelivered::Never(cause) } else { Undelivered::Later(cause) }
}

/// An answer of the server, for the log and for a row of the database.
fn short(answer: &str) -> String {
    let answer = answer.replace(char::is_control, " ");
    let masked = answer.split(' ').map(|word| if word.contains('@') { "…" } else { word });
    masked.collect::<Vec<_>>().join(" ").chars().take(ANSWER_MAX).collect()
}

#[cfg(test)]
mod tests;

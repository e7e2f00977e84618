//! `mail`, `sms` and `messages` of a user pool.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use url::{Host, Url};

use crate::backchannel::network;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::raw::user_pool::messages as written;
use crate::config::validate::context::Context;
use crate::config::validate::texts::{self, Book};
use crate::config::validate::{keys, value};
use crate::secret::Secret;
use crate::user_pool::messages::courier::webhook::SECRET_PREFIX;
use crate::user_pool::messages::settings::{
    Ceilings, Credentials, Mail, MailBy, Security, Sender, Settings, Sms, SmsBy,
};
use crate::user_pool::messages::texts::{self as words, Texts};

/// Standard Webhooks, "Secret": 24 to 64 random bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The texts of messages.
const BOOK: Book = Book {
    english: || &words::built_in()[0],
    is_key: words::is_key,
    wrong: words::wrong,
    example: "verification.subject: \"Your code\"",
    command: "vestibule texts --messages",
};

/// How a pool sends messages.
pub(super) fn messages(raw: &UserPool, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let given = [("mail", raw.mail.is_some()), ("sms", raw.sms.is_some()), ("messages", raw.messages.is_some())];
    for (key, _) in given.into_iter().filter(|(_, is_given)| *is_given && raw.store.is_none()) {
        let problem = context.found.problem_at_key(&at.key(key), format!("`{key}` needs `store`"));
        let problem = problem.lacks(&at.key("store"));
        problem.hint("messages are kept in the database of the pool until they are sent: add `store`");
    }
    let mail = raw.mail.as_ref().map(|raw| mail(raw, &at.key("mail"), context)).transpose();
    let sms = raw.sms.as_ref().map(|raw| sms(raw, &at.key("sms"), context)).transpose();
    let empty = written::Messages::default();
    let raw = raw.messages.as_ref().unwrap_or(&empty);
    let translations =
        texts::translations(&BOOK, words::built_in(), &raw.texts, &at.key("messages").key("texts"), context);
    Ok(Settings {
        mail: mail?.map(|mail| MailBy::Smtp(Box::new(mail))),
        sms: sms?,
        texts: Texts::new(translations?),
        limits: ceilings(&raw.limits),
    })
}

fn ceilings(raw: &written::MessageLimits) -> Ceilings {
    let usual = Ceilings::default();
    Ceilings {
        per_user: raw.per_user.unwrap_or(usual.per_user),
        per_destination: raw.per_destination.unwrap_or(usual.per_destination),
        per_country: raw.per_country.unwrap_or(usual.per_country),
        mails: raw.mails.unwrap_or(usual.mails),
        sms: raw.sms.unwrap_or(usual.sms),
    }
}

fn mail(raw: &written::Mail, at: &Path, context: &mut Context<'_>) -> Result<Mail, Reported> {
    let server = server(&raw.smtp, raw.ca_file.is_some(), &at.key("smtp"), context);
    let keys = ("password", "password_file");
    let password = keys::secret(raw.password.as_ref(), raw.password_file.as_ref(), keys, at, context);
    let credentials = credentials(raw.username.as_ref(), password, at, context);
    let from = mailbox(&raw.from, &at.key("from"), context);
    let reply_to = raw.reply_to.as_ref().map(|text| mailbox(text, &at.key("reply_to"), context)).transpose();
    let roots = raw.ca_file.as_ref().map(|file| keys::roots(file, &at.key("ca_file"), context)).transpose();
    let (host, port, security) = server?;
    let credentials = credentials?;
    Ok(Mail { host, port, security, credentials, from: from?, reply_to: reply_to?, roots: roots?.unwrap_or_default() })
}

/// The host, the port, and how the connection is protected.
fn server(
    text: &str,
    has_authority: bool,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(String, u16, Security), Reported> {
    let hint = "write `smtps://mail.example.com`, or `smtp://mail.example.com` for STARTTLS";
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "smtp" | "smtps"));
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else {
        return context.found.problem(at, format!("`{text}` is not the address of a mail server")).hint(hint).fail();
    };
    if !url.username().is_empty() || url.password().is_some() {
        let problem = context.found.problem(at, "the address must not contain a user name or password");
        return problem.hint("set `username` and `password_file`").fail();
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return context.found.problem(at, format!("`{text}` has more than a host and a port")).hint(hint).fail();
    }
    // The URL parser takes the host of a scheme that it does not know for opaque text: an IPv4 address is a name to it.
    let host = match host {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let (security, port) = match url.scheme() {
        "smtps" => (Security::Tls, 465),
        _ if network::is_loopback(&host) && !has_authority => (Security::Plain, 25),
        _ => (Security::StartTls, 587),
    };
    Ok((host, url.port().unwrap_or(port), security))
}

fn credentials(
    username: Option<&String>,
    password: Result<Option<Secret<String>>, Reported>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<Credentials>, Reported> {
    match (username, password?) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => Ok(Some(Credentials { username: username.clone(), password })),
        (Some(_), None) => {
            let problem = context.found.problem(&at.key("username"), "`username` needs a password");
            problem.lacks(&at.key("password_file")).hint("set `password_file`").fail()
        }
        (None, Some(_)) => context.found.problem(at, "a password needs `username`").lacks(&at.key("username")).fail(),
    }
}

fn mailbox(text: &str, at: &Path, context: &mut Context<'_>) -> Result<Mailbox, Reported> {
    text.parse().or_else(|_| {
        let problem = context.found.problem(at, format!("`{text}` is not an e-mail address"));
        problem.hint("write `no-reply@example.com`, or `Example <no-reply@example.com>`").fail()
    })
}

fn sms(raw: &written::Sms, at: &Path, context: &mut Context<'_>) -> Result<Sms, Reported> {
    let by = match (&raw.webhook, &raw.twilio) {
        (Some(webhook), None) => self::webhook(webhook, &at.key("webhook"), context),
        (None, Some(twilio)) => self::twilio(twilio, &at.key("twilio"), context),
        (None, None) => context.found.problem(at, "expected `webhook` or `twilio`").fail(),
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("twilio"), "both `webhook` and `twilio` are set");
            problem.label(&at.key("webhook"), "the other one").hint("keep one").fail()
        }
    };
    let prefixes = value::each(&raw.prefixes, &at.key("prefixes"), &mut context.found, |text, at, found| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        if (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(text.to_owned());
        }
        let problem = found.problem(at, format!("`{text}` is not the start of a telephone number"));
        problem.hint("write `\"+49\"`, in quotes").fail()
    });
    if raw.prefixes.is_empty() && context.found.concern(&at.key("prefixes")).is_none() {
        let message = "SMS are sent to all countries: strangers can have them sent to expensive numbers";
        context.found.warning(at, message).hint("name the countries of your users: `prefixes: [\"+49\"]`");
    }
    let roots = raw.ca_file.as_ref().map(|file| keys::roots(file, &at.key("ca_file"), context)).transpose();
    Ok(Sms { by: by?, prefixes: prefixes?, roots: roots?.unwrap_or_default() })
}

fn webhook(raw: &written::SmsWebhook, at: &Path, context: &mut Context<'_>) -> Result<SmsBy, Reported> {
    let url = value::secure_url(&raw.url, &at.key("url"), &mut context.found);
    let keys = ("secret", "secret_file");
    let secret = keys::secret(raw.secret.as_ref(), raw.secret_file.as_ref(), keys, at, context)?;
    let hint = "`echo whsec_$(openssl rand -base64 32)` prints one";
    let Some(secret) = secret else {
        return context.found.problem(at, "expected `secret_file`").hint(hint).fail();
    };
    let bytes = secret.expose().trim().strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
    match bytes.map(Secret::new) {
        Some(secret) if SECRET_BYTES.contains(&secret.expose().len()) => Ok(SmsBy::Webhook { url: url?, secret }),
        _ => {
            let at = if raw.secret.is_some() { at.key("secret") } else { at.key("secret_file") };
            let message = format!("the secret is not `{SECRET_PREFIX}` and 24 to 64 bytes in Base64");
            context.found.problem(&at, message).hint(hint).fail()
        }
    }
}

fn twilio(raw: &written::Twilio, at: &Path, context: &mut Context<'_>) -> Result<SmsBy, Reported> {
    let url = value::secure_url(&raw.url, &at.key("url"), &mut context.found);
    let keys = ("auth_token", "auth_token_file");
    let auth_token = keys::secret(raw.auth_token.as_ref(), raw.auth_token_file.as_ref(), keys, at, context)?;
    let Some(auth_token) = auth_token else {
        return context.found.problem(at, "expected `auth_token_file`").fail();
    };
    let account_sid = raw.account_sid.clone();
    if account_sid.is_empty() || !account_sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = format!("`{account_sid}` is not the SID of an account");
        return context.found.problem(&at.key("account_sid"), message).hint("it has the form `AC…`").fail();
    }
    let sender = match (&raw.from, &raw.messaging_service_sid) {
        (Some(from), None) => Sender::From(from.clone()),
        (None, Some(sid)) => Sender::MessagingService(sid.clone()),
        (None, None) => return context.found.problem(at, "expected `from` or `messaging_service_sid`").fail(),
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("from"), "both `from` and `messaging_service_sid` are set");
            return problem.hint("keep one").fail();
        }
    };
    Ok(SmsBy::Twilio { url: url?, account_sid, auth_token, sender })
}

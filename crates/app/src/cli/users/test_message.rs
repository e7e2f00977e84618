//! `users test-message`: sends a message to try the mail server or SMS gateway of a pool.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde_json::json;

use crate::cli::terminal::print;
use crate::cli::users::opened::{Of, load, pool};
use crate::clock::Clock;
use crate::user_pool::messages::courier::Undelivered;
use crate::user_pool::messages::message::{Kind, Medium, Recipient};
use crate::user_pool::messages::queue::Due;
use crate::user_pool::messages::way::Way;

/// Sends a message to try the mail server or the SMS gateway of a pool, and prints what that has answered.
///
/// The message has the code 123456, which is no code. It is sent at once and once, without the outbox and its limits.
#[derive(Debug, clap::Args)]
pub(crate) struct TestMessage {
    #[command(flatten)]
    of: Of,
    /// An e-mail address, or a telephone number that begins with `+`.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// Which message.
    #[arg(long, value_name = "KIND", default_value = "verification", value_parser = kind)]
    kind: Kind,
    /// In which language, as a tag such as `de`.
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
}

fn kind(name: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.map(Kind::as_str).join(", ");
    Kind::named(name).ok_or_else(|| format!("there is no such message: use one of {}", known()))
}

impl TestMessage {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(config) = load(&self.of) else { return Ok(ExitCode::FAILURE) };
        let settings = pool(&config, self.of.pool.as_deref())?;
        let medium = if self.to.starts_with('+') { Medium::Sms } else { Medium::Email };
        let (is_there, setting) = match medium {
            Medium::Email => (settings.messages.mail.is_some(), "mail"),
            Medium::Sms => (settings.messages.sms.is_some(), "sms"),
        };
        if !is_there {
            bail!("the pool `{}` has no `{setting}`", settings.name);
        }
        let clock = Clock::system();
        let to = Recipient { medium, address: self.to.clone() };
        let valid = settings.password_policy.temporary_validity;
        let due = Due::for_test(self.kind, to, self.language.clone(), (settings.issuer.as_str(), valid), clock.now());
        let host = settings.issuer.host_str().unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let look = settings.brand.pages.as_ref().unwrap_or(&config.pages);
            let way = Way::new(&settings.messages, look, (settings.title.as_deref(), host), &clock);
            Ok::<_, anyhow::Error>(way.map_err(|error| anyhow!(error))?.send(&due).await)
        })?;
        print(&told(&outcome, self.of.json))?;
        Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn told(outcome: &Result<String, Undelivered>, json: bool) -> String {
    let (result, text) = match outcome {
        Ok(answer) => ("sent", answer.as_str()),
        Err(Undelivered::Later(cause)) => ("later", cause.as_str()),
        Err(Undelivered::Never(cause)) => ("never", cause.as_str()),
    };
    if json {
        return format!("{}\n", json!({ "result": result, "answer": text }));
    }
    match result {
        "sent" => format!("sent; the server answers: {text}\n"),
        "later" => format!("not sent; Vestibule would try it again: {text}\n"),
        _ => format!("not sent; Vestibule would give it up: {text}\n"),
    }
}

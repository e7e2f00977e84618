//! `users resend`: sends again what a user needs to go on.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::told::{Told, named};
use crate::cli::users::whom::{signs_in_here, whom};
use crate::user_pool::directory::status::{Status, WrongState};
use crate::user_pool::events::event::Visit;
use crate::user_pool::management::Record;
use crate::user_pool::self_service::Sent;

/// Sends a user what is needed to go on: the code that confirms a sign-up, after `reset` the code for another password, or another temporary password
/// with an invitation. The process that serves delivers it.
#[derive(Debug, clap::Args)]
pub(crate) struct Resend {
    #[command(flatten)]
    of: Of,
    /// The user name, an alias, or the `sub`.
    user: String,
}

impl Resend {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let user = pool.users.show(&whom(&pool.users, &self.user).await?).await?;
            let send = async {
                let (kind, sent) = send(&pool, &user).await?;
                anyhow::Ok(Told::of_former("user.resend", said(&user, kind, &sent)?, &user).with_sent(kind, &sent))
            };
            let told = pool.reading("user.resend", Some(&user.subject), send).await?;
            Ok((told.print(self.of.json), ExitCode::SUCCESS))
        })
    }
}

/// Sends what the user needs. Returns which kind of message it is, and what became of it.
async fn send(pool: &Opened<'_>, user: &Record) -> anyhow::Result<(&'static str, Sent)> {
    signs_in_here(user)?;
    if !user.is_enabled {
        bail!("{} is disabled, and gets no messages: `vestibule users enable` comes first", named(user));
    }
    let (service, visit, now) = (pool.service()?, Visit::none(), pool.now);
    let language = user.attributes.get("locale").unwrap_or_default().to_owned();
    Ok(match user.status {
        Status::Unconfirmed => {
            let address = service.address_to_confirm(&user.attributes);
            let address =
                address.context("there is no address to confirm: `vestibule users confirm` confirms the user")?;
            ("verification", service.resend(user.subject.clone(), address, language, (&visit, now)).await?)
        }
        Status::ResetRequired => {
            service.can_recover(user).context(
                "the user has no verified address for a code that `recovery` of the pool allows: `vestibule users set-password` sets a password",
            )?;
            ("reset", service.send_reset(user, now).await?)
        }
        Status::ForceChangePassword => ("invitation", service.invite(user, now).await?),
        Status::Confirmed | Status::ExternalProvider => return Err(WrongState(user.status).into()),
    })
}

/// What was sent, and where. An error if nothing was.
fn said(user: &Record, kind: &str, sent: &Sent) -> anyhow::Result<String> {
    let what = match kind {
        "verification" => "A code that confirms the sign-up",
        "reset" => "A code for another password",
        _ => "An invitation with another temporary password",
    };
    match sent {
        Sent::To { to, expires_at } => Ok(format!(
            "{what} goes to {} for {}, and is good until {}. The process that serves delivers it.",
            to.masked(),
            named(user),
            expires_at.to_text()
        )),
        Sent::Withheld => {
            bail!("nothing was sent: a limit of `messages.limits` was reached. Try again in an hour, or raise it")
        }
        Sent::Nothing => bail!("nothing was sent: the address is the one of another user"),
    }
}

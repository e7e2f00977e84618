//! `users resend`: sends again what a user needs to go on.

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::users::stored::{self, Of};
use crate::cli::users::whom::whom;
use crate::clock::{Clock, Timestamp};
use crate::user_pool::PoolMemory;
use crate::user_pool::directory::status::Status;
use crate::user_pool::events::audit::Actor;
use crate::user_pool::events::event::Visit;
use crate::user_pool::events::log::EventLog;
use crate::user_pool::management::Management;
use crate::user_pool::self_service::SelfService;
use crate::user_pool::self_service::settings::Address;
use crate::user_pool::settings::Settings;

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
        let Some(config) = stored::load(&self.of) else { return Ok(ExitCode::FAILURE) };
        let pool = stored::pool(&config, self.of.pool.as_deref())?;
        let now = Clock::system().now();
        let stored = stored::users_of(pool, now)?;
        // What a command does is in the audit, not in the sign-in log.
        let events = EventLog::new(None, Clock::system());
        let service = SelfService::new(pool, &PoolMemory::default(), Some(&stored), &events);
        let service = service.context("the pool has a store")?;
        let users = Management::new(stored).with_rules(pool.directory.clone()).by(Actor::of_this_command());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        runtime.block_on(self.send(pool, &users, &service, now))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn send(
        &self,
        pool: &Settings,
        users: &Management,
        service: &SelfService,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let user = users.show(&whom(users, &self.user).await?).await?;
        users.note("user.resend", Some(&user.subject), now).await?;
        let visit = Visit::none();
        let language = user.attributes.get("locale").unwrap_or_default().to_owned();
        match user.status {
            Status::Unconfirmed => {
                let address = service.address_to_confirm(&user.attributes);
                let address =
                    address.context("there is no address to confirm: `vestibule users confirm` confirms the user")?;
                service.resend(user.subject, address, language, (&visit, now)).await?;
            }
            Status::ResetRequired => {
                let is_sent = service.send_reset(&user, now).await?;
                anyhow::ensure!(is_sent, "the user has no verified address for a code");
            }
            Status::ForceChangePassword => {
                let can_send = |address: &Address| match address {
                    Address::Email => pool.messages.mail.is_some(),
                    Address::PhoneNumber => pool.messages.sms.is_some(),
                };
                let has = |address: &Address| user.attributes.get(address.attribute()).is_some();
                let mut addresses = [Address::Email, Address::PhoneNumber].into_iter().filter(can_send);
                let address = addresses.find(has).context("the user has no address that the pool sends messages to")?;
                service.invite(&user, address, now).await?;
            }
            other => bail!("the user is {} and needs no code", other.as_str()),
        }
        Ok(())
    }
}

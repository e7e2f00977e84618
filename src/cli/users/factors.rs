//! `users factors` and `users reset-factors`: what users have to prove who they are, apart from the password.

use std::process::ExitCode;

use crate::cli::users::opened::{self, Opened};
use crate::cli::users::output;
use crate::cli::users::stored::Of;
use crate::cli::users::whom::whom;
use crate::user_pool::PoolMemory;
use crate::user_pool::factors::change::Removal;
use crate::user_pool::management::Management;
use crate::user_pool::management::factors::Taken;
use crate::user_pool::messages::outgoing::Outgoing;

/// Shows what a user has set up: one-time passwords of an app, passkeys, recovery codes, trusted browsers. Or takes one of them away, and shows what is left.
///
/// A user who is told of it gets a message. Sessions stay: `sign-out` ends them.
#[derive(Debug, clap::Args)]
pub(crate) struct Factors {
    #[command(flatten)]
    of: Of,
    /// The user name, an alias, or the `sub`. A user of the configuration file has some, too.
    user: String,
    #[command(flatten)]
    removal: Taking,
}

/// What to take away.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Taking {
    /// Remove the one-time passwords of the app.
    #[arg(long)]
    remove_app: bool,
    /// Remove one passkey.
    #[arg(long, value_name = "ID")]
    remove_passkey: Option<String>,
    /// Forget one trusted browser: the next sign-in there asks for the second factor.
    #[arg(long, value_name = "ID")]
    forget_browser: Option<String>,
    /// Forget all trusted browsers.
    #[arg(long)]
    forget_browsers: bool,
}

/// Removes the second factors of a user who has lost them: one-time passwords, recovery codes, passkeys, trusted browsers. Signs the user out
/// everywhere.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetFactors {
    #[command(flatten)]
    of: Of,
    /// The user name, an alias, or the `sub`.
    user: String,
}

impl Taking {
    fn what(&self) -> Option<Taken> {
        let passkey = || self.remove_passkey.clone().map(Removal::Passkey).map(Taken::Factor);
        let browser = || self.forget_browser.clone().map(Taken::Browser);
        let app = self.remove_app.then_some(Taken::Factor(Removal::App));
        app.or_else(passkey).or_else(browser).or(self.forget_browsers.then_some(Taken::Browsers))
    }
}

impl Factors {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let (users, who, now) = (telling(&pool), who(&pool.users, &self.user).await, pool.now);
            match self.removal.what() {
                Some(what) => users.take_factor(&who, what, now).await?,
                None => users.note("user.factors", Some(&who), now).await?,
            }
            Ok((output::factors(&users.factors(&who).await?, self.of.json), ExitCode::SUCCESS))
        })
    }
}

impl ResetFactors {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            telling(&pool).reset_factors(&who(&pool.users, &self.user).await, pool.now).await?;
            Ok((String::new(), ExitCode::SUCCESS))
        })
    }
}

fn telling(pool: &Opened<'_>) -> Management {
    pool.users.clone().telling(Outgoing::new(pool.settings, &PoolMemory::default()))
}

/// Users of the configuration may have some, too.
async fn who(users: &Management, typed: &str) -> String {
    whom(users, typed).await.unwrap_or_else(|_| typed.to_owned())
}

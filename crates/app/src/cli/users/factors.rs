//! `users factors` and `users reset-factors`: what users have to prove who they are, apart from the password.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::output;
use crate::cli::users::told::{SESSIONS_END, Told};
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
            let Some(what) = self.removal.what() else {
                let owned = pool.reading("user.factors", Some(&who), users.factors(&who)).await?;
                return Ok((output::factors(&owned, self.of.json), ExitCode::SUCCESS));
            };
            let (done, text) = taken(&what);
            users.take_factor(&who, what, now).await?;
            let owned = users.factors(&who).await?;
            let text = format!("{text}\n\n{}", output::factors(&owned, false).trim_end());
            Ok((Told::new(done, text, output::factors_object(&owned)).print(self.of.json), ExitCode::SUCCESS))
        })
    }
}

impl ResetFactors {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let who = who(&pool.users, &self.user).await;
            telling(&pool).reset_factors(&who, pool.now).await?;
            let user = pool.users.show(&who).await.ok();
            let mut text = format!(
                "All second factors of `{}` are removed: app, passkeys, recovery codes and trusted browsers. {SESSIONS_END}",
                user.as_ref().map_or(&*self.user, |user| user.shown_name())
            );
            if let Some(provider) = user.as_ref().and_then(|user| user.provider()) {
                text += &format!(" Those at the provider `{provider}` are as before.");
            }
            Ok((Told::new("factor.reset", text, json!({"user": self.user})).print(self.of.json), ExitCode::SUCCESS))
        })
    }
}

/// What was done, for the audit and in words.
const fn taken(what: &Taken) -> (&'static str, &'static str) {
    match what {
        Taken::Factor(Removal::App) => ("factor.remove", "The app is removed. Sessions stay: `sign-out` ends them."),
        Taken::Factor(Removal::Passkey(_)) => {
            ("factor.remove", "The passkey is removed. Sessions stay: `sign-out` ends them.")
        }
        Taken::Browser(_) => {
            ("browser.forget", "The browser is forgotten: the next sign-in there asks for the second factor.")
        }
        Taken::Browsers => {
            ("browser.forget", "All trusted browsers are forgotten: each next sign-in asks for the second factor.")
        }
    }
}

fn telling(pool: &Opened<'_>) -> Management {
    pool.users.clone().telling(Outgoing::new(pool.settings, &PoolMemory::default()))
}

/// Users of the configuration may have some, too.
async fn who(users: &Management, typed: &str) -> String {
    whom(users, typed).await.unwrap_or_else(|_| typed.to_owned())
}

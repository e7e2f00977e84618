//! Commands that change one user.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::Value;

use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::told::{SESSIONS_END, Told, named};
use crate::cli::users::whom::{signs_in_here, whom};
use crate::user_pool::management::Record;
use crate::user_pool::management::sessions::Which;

/// What to change, and of whom.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Changed {
    /// Changes attributes of a user.
    Set {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
        /// If another user signs in by the verified address, take it from that user.
        #[arg(long)]
        take_alias: bool,
        /// What to set. An empty value removes the attribute.
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = pair)]
        attributes: Vec<(String, String)>,
    },
    /// Keeps a user from signing in, and ends the sessions and tokens of this user.
    Disable {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Lets a user sign in again.
    Enable {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Confirms a user who has signed up, in place of the code or link that was sent.
    Confirm {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Makes a user choose another password before the next sign-in, and ends the sessions and tokens of this user.
    Reset {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Ends all sessions and tokens of a user. The user can sign in again.
    SignOut {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Signs a user out in one browser.
    EndSession {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
        /// The session, as `sessions` lists it.
        session: String,
        /// Sign the user out in all browsers but this one.
        #[arg(long)]
        others: bool,
    },
    /// Deletes a user with all that belongs to this user.
    Delete {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Adds a user to groups.
    Join {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
        /// The groups. They must exist.
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Takes a user out of groups.
    Leave {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
        /// The groups.
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
}

/// `name=value`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Changed {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (of, user) = self.of();
        opened::run(of, async |pool| {
            // By the `sub`: what is changed may be the alias that was typed.
            let before = pool.users.show(&whom(&pool.users, user).await?).await?;
            let told = self.change(&pool, &before).await?;
            Ok((told.print(of.json), ExitCode::SUCCESS))
        })
    }

    /// Does it, and says what was done.
    async fn change(&self, pool: &Opened<'_>, before: &Record) -> anyhow::Result<Told> {
        let (users, who, now, name) = (&pool.users, &*before.subject, pool.now, named(before));
        let (done, text) = match self {
            Self::Set { attributes, take_alias, .. } => {
                let users = users.clone();
                let users = if *take_alias { users.taking_aliases() } else { users };
                users.set_attributes(who, attributes.clone(), now).await?;
                let names: Vec<_> = attributes.iter().map(|(name, _)| name.clone()).collect();
                ("user.attributes", format!("{name} has other attributes: {}.", quoted(&names)))
            }
            Self::Disable { .. } => {
                users.set_enabled(who, false, now).await?;
                ("user.disable", format!("{name} is disabled and cannot sign in. {SESSIONS_END}"))
            }
            Self::Enable { .. } => {
                users.set_enabled(who, true, now).await?;
                ("user.enable", format!("{name} is enabled and can sign in again. Sessions of before stay ended."))
            }
            Self::Confirm { .. } => {
                users.confirm(who, now).await?;
                ("user.confirm", format!("{name} is confirmed and can sign in. Nothing was sent."))
            }
            Self::Reset { .. } => {
                signs_in_here(before)?;
                users.reset(who, now).await?;
                let next = next_after_reset(pool, &users.show(who).await?)?;
                ("user.reset", format!("{name} has to choose another password. {SESSIONS_END} {next}"))
            }
            Self::SignOut { .. } => {
                users.sign_out(who, now).await?;
                ("user.sign_out", format!("{name} is signed out everywhere, and can sign in again. {SESSIONS_END}"))
            }
            Self::Join { groups, .. } => {
                for group in groups {
                    users.join(who, group, now).await?;
                }
                ("group.join", format!("{name} is in {}. {GROUPS_COUNT}", quoted(groups)))
            }
            Self::Leave { groups, .. } => {
                for group in groups {
                    users.leave(who, group, now).await?;
                }
                ("group.leave", format!("{name} is not in {}. {GROUPS_COUNT}", quoted(groups)))
            }
            Self::EndSession { session, others, .. } => return end_session(pool, before, (session, *others)).await,
            Self::Delete { .. } => {
                users.delete(who, now).await?;
                let text = format!(
                    "{name} is deleted. {SESSIONS_END} The sign-in log and the audit keep what happened, under the `sub`."
                );
                return Ok(Told::of_former("user.delete", text, before));
            }
        };
        let told = Told::of_user(done, text, &users.show(who).await?);
        Ok(if matches!(self, Self::Reset { .. }) { told.with("sent", Value::Null) } else { told })
    }

    fn of(&self) -> (&Of, &str) {
        match self {
            Self::Set { of, user, .. }
            | Self::Disable { of, user }
            | Self::Enable { of, user }
            | Self::Confirm { of, user }
            | Self::Reset { of, user }
            | Self::SignOut { of, user }
            | Self::EndSession { of, user, .. }
            | Self::Delete { of, user }
            | Self::Join { of, user, .. }
            | Self::Leave { of, user, .. } => (of, user),
        }
    }
}

/// When a change of groups counts.
const GROUPS_COUNT: &str = "Tokens and sessions of applications have it from their next refresh on.";

async fn end_session(pool: &Opened<'_>, user: &Record, (session, others): (&str, bool)) -> anyhow::Result<Told> {
    let which = if others { Which::Others(session.to_owned()) } else { Which::This(session.to_owned()) };
    let ended = pool.users.end_sessions(&user.subject, which, pool.now).await?;
    if ended == 0 && !others {
        bail!("{} has no session `{session}`", named(user));
    }
    let text = match (others, ended) {
        (false, _) => format!("{} is signed out in this browser, everywhere within a second.", named(user)),
        (true, 0) => format!("{} is signed in in no other browser.", named(user)),
        (true, 1) => format!("{} is signed out in one other browser, everywhere within a second.", named(user)),
        (true, _) => format!("{} is signed out in {ended} other browsers, everywhere within a second.", named(user)),
    };
    Ok(Told::of_former("session.end", text, user).with("sessions", ended))
}

/// How a user gets a code for another password.
fn next_after_reset(pool: &Opened<'_>, user: &Record) -> anyhow::Result<String> {
    Ok(match pool.service()?.can_recover(user) {
        Some(to) => format!(
            "Nothing was sent: `vestibule users resend` sends a code to {}, and so does the sign-in page after the former password.",
            to.masked()
        ),
        None if !user.is_enabled => "Nothing was sent: the user is disabled, and gets no code until `enable`.".to_owned(),
        None => "Nothing was sent, and no code can be sent: the user has no verified address that `recovery` of the pool allows. \
                 `vestibule users set-password` sets a password."
            .to_owned(),
    })
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

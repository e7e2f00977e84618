//! Commands that show users and add them, and those for the whole pool.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use crate::cli::files;
use crate::cli::users::changed::pair;
use crate::cli::users::credentials::{self, First, FirstOf};
use crate::cli::users::list::Listed;
use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::told::{SESSIONS_END, Told, named};
use crate::cli::users::whom::{signs_in_here, whom};
use crate::cli::users::{keys, output};
use crate::user_pool::events::audit::Outcome;
use crate::user_pool::management::NewUser;
use crate::user_pool::self_service::Sent;

/// What to do, and where.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Stored {
    /// Lists users.
    List {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        which: Listed,
    },
    /// Shows a user.
    Show {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Adds a user, and reads the password from one line of standard input. It must meet the `password_policy` of the pool.
    Add {
        #[command(flatten)]
        of: Of,
        /// The user name.
        user: String,
        /// An attribute, such as `email=ada@example.com` or `email_verified=true`. Can be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        attributes: Vec<(String, String)>,
        /// A group. It must exist. Can be repeated.
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
        #[command(flatten)]
        password: FirstOf,
    },
    /// Sets the password of a user, read from one line of standard input. It must meet the `password_policy` of the pool. All sessions of the user end.
    SetPassword {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
        /// Make a password and print it, instead of reading one. The user signs in with it once, and must choose another one.
        #[arg(long)]
        temporary: bool,
    },
    /// Lists the browsers in which a user is signed in.
    Sessions {
        #[command(flatten)]
        of: Of,
        /// The user name, an alias, or the `sub`.
        user: String,
    },
    /// Writes a copy of the database to a new file, while it is in use. To restore it, stop the process and put the copy in the place of the
    /// file, without its `-wal` and `-shm`. Keep the keys of `key_files` elsewhere: without them, a copy does not open.
    Backup {
        #[command(flatten)]
        of: Of,
        /// The file to create. It must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Lists the keys that sign tokens, of a pool that makes them itself.
    Keys {
        #[command(flatten)]
        of: Of,
    },
    /// Replaces the keys that sign tokens, of a pool that makes them itself. The next ones sign after a day, so that every relying party knows them by
    /// then.
    RotateKeys {
        #[command(flatten)]
        of: Of,
        /// Somebody else may have the keys: replace them within a minute, and make every token of before invalid.
        #[arg(long)]
        revoke: bool,
    },
}

impl Stored {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(self.of(), async |pool| Ok((self.act(&pool).await?, ExitCode::SUCCESS)))
    }

    const fn of(&self) -> &Of {
        match self {
            Self::List { of, .. }
            | Self::Show { of, .. }
            | Self::Add { of, .. }
            | Self::SetPassword { of, .. }
            | Self::Sessions { of, .. }
            | Self::Keys { of }
            | Self::RotateKeys { of, .. }
            | Self::Backup { of, .. } => of,
        }
    }

    /// Does it, and says what to print.
    async fn act(&self, pool: &Opened<'_>) -> anyhow::Result<String> {
        let (users, json) = (&pool.users, self.of().json);
        match self {
            Self::List { which, .. } => which.list(pool, json).await,
            Self::Show { user, .. } => {
                let read = async { users.show(&whom(users, user).await?).await.map_err(anyhow::Error::from) };
                Ok(output::user(&pool.reading("user.show", Some(user), read).await?, json))
            }
            Self::Sessions { user, .. } => {
                let read = async { anyhow::Ok(users.sessions(&whom(users, user).await?, pool.now).await?) };
                Ok(output::sessions(&pool.reading("user.sessions", Some(user), read).await?, json))
            }
            Self::Keys { .. } => keys::list(pool.settings, &pool.stored, json).await,
            Self::RotateKeys { revoke, .. } => {
                let operation = if *revoke { "keys.revoke" } else { "keys.rotate" };
                let rotated = keys::rotate(pool.settings, &pool.stored, *revoke, json).await;
                users.note((operation, Outcome::of(&rotated)), None, pool.now).await?;
                rotated
            }
            Self::Backup { out, .. } => {
                files::must_be_new(out)?;
                let copied = async { users.back_up(out, pool.now).await.map_err(anyhow::Error::from) };
                pool.taking_a_while("backup", copied).await?;
                let text = format!(
                    "A copy of the database, with all its pools, is in {}. It opens only with the keys of `key_files` of today: keep them elsewhere.",
                    out.display()
                );
                Ok(Told::new("backup", text, json!({"file": out})).print(json))
            }
            Self::Add { user, attributes, groups, password, .. } => {
                let new = NewUser {
                    username: user.clone(),
                    password: None,
                    attributes: attributes.clone(),
                    groups: groups.clone(),
                };
                add(pool, new, password, json).await
            }
            Self::SetPassword { user, temporary, .. } => {
                let user = users.show(&whom(users, user).await?).await?;
                signs_in_here(&user)?;
                let generated = credentials::set(&user, *temporary, &pool.passwords(), pool.now).await?;
                let user = users.show(&user.subject).await?;
                let what = if *temporary { "has a temporary password" } else { "has another password" };
                let told = Told::of_user("user.password", format!("{} {what}. {SESSIONS_END}", named(&user)), &user);
                Ok(told.with_password(generated.as_ref()).print(json))
            }
        }
    }
}

/// Adds a user, and says what the user gets to know of it.
async fn add(pool: &Opened<'_>, new: NewUser, password: &FirstOf, json: bool) -> anyhow::Result<String> {
    let (users, attributes) = (&pool.users, pool.users.attributes_of_new(&new.attributes)?);
    let (first, generated) = match password.read(&new.username, &attributes, &pool.passwords(), pool.now).await? {
        First::Invited => {
            let (user, sent) = pool.service()?.add_invited(users, new, pool.now).await?;
            let Sent::To { to, expires_at } = &sent else { bail!("the invitation was not sent") };
            let text = format!(
                "{} is added. An invitation with a temporary password goes to {}, and is good until {}.",
                named(&user),
                to.masked(),
                expires_at.to_text()
            );
            return Ok(Told::of_user("user.add", text, &user).with_sent("invitation", &sent).print(json));
        }
        First::Here { password, generated } => (password, generated),
    };
    let has_password = first.is_some();
    let user = users.add(NewUser { password: first, ..new }, pool.now).await?;
    let next = match (has_password, &generated) {
        (false, _) => "Without a password, nobody signs in as this user: `vestibule users set-password` sets one.",
        (true, Some(_)) => {
            "Nothing was sent: give the temporary password to the user, who chooses another one with it."
        }
        (true, None) => "Nothing was sent.",
    };
    let told = Told::of_user("user.add", format!("{} is added. {next}", named(&user)), &user);
    Ok(told.with_sent("invitation", &Sent::Nothing).with_password(generated.as_ref()).print(json))
}

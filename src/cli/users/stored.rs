//! The users in the database of a pool.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::terminal::{for_stderr, print};
use crate::cli::users::credentials::{self, FirstOf};
use crate::cli::users::list::Listed;
use crate::cli::users::whom::whom;
use crate::cli::users::{keys, output};
use crate::clock::{Clock, Timestamp};
use crate::config::document::source::Source;
use crate::config::{self, MissingKeys};
use crate::database::{Database, Others};
use crate::user_pool::credential::hasher::{Hasher, Hashing, costs};
use crate::user_pool::events::audit::Actor;
use crate::user_pool::management::sessions::Which;
use crate::user_pool::management::{Group, Management, NewUser};
use crate::user_pool::messages::outgoing::Outgoing;
use crate::user_pool::passwords::Passwords;
use crate::user_pool::settings::Settings;
use crate::user_pool::{MIGRATIONS, PoolMemory, Records, StoredUsers};

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
    /// Lists the browsers in which a user is signed in.
    Sessions {
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
    /// Lists the groups.
    Groups {
        #[command(flatten)]
        of: Of,
    },
    /// Adds a group, or changes the one of this name.
    AddGroup {
        #[command(flatten)]
        of: Of,
        /// The name.
        group: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// The group with the smallest number comes first in the claim `groups`. Without a number, it comes after those with one.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
        precedence: Option<i64>,
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
    /// Deletes a group. Its members stay users.
    DeleteGroup {
        #[command(flatten)]
        of: Of,
        /// The name.
        group: String,
    },
}

/// Which pool.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The name of the pool in `user_pools`. Not needed if only one pool has a `store`.
    #[arg(long, value_name = "NAME")]
    pub(super) pool: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// `name=value`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Stored {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let of = self.of();
        let Some(config) = load(of) else { return Ok(ExitCode::FAILURE) };
        let now = Clock::system().now();
        let (settings, stored) = open(&config, of.pool.as_deref(), now)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let text = match self {
            Self::Keys { .. } => runtime.block_on(keys::list(settings, &stored, of.json))?,
            Self::RotateKeys { revoke, .. } => runtime.block_on(async {
                let users = Management::new(stored.clone()).by(Actor::of_this_command());
                let operation = if *revoke { "keys.revoke" } else { "keys.rotate" };
                let text = keys::rotate(settings, &stored, *revoke, of.json).await?;
                users.note(operation, None, now).await?;
                anyhow::Ok(text)
            })?,
            _ => {
                // One password is hashed at a time: a command has one.
                let hasher = Hasher::new(1, costs([]), Hashing::default());
                let passwords = Passwords::new(stored.clone(), settings.password_policy.clone(), hasher);
                let passwords = passwords.telling(Outgoing::new(settings, &PoolMemory::default()));
                let passwords = passwords.by(Actor::of_this_command());
                let users =
                    Management::new(stored).with_rules(Arc::clone(&settings.directory)).by(Actor::of_this_command());
                runtime.block_on(async {
                    if let Some((operation, who)) = self.reads() {
                        users.note(operation, who, now).await?;
                    }
                    self.act(&users, &passwords, now).await
                })?
            }
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn of(&self) -> &Of {
        match self {
            Self::List { of, .. }
            | Self::Show { of, .. }
            | Self::Add { of, .. }
            | Self::SetPassword { of, .. }
            | Self::Set { of, .. }
            | Self::Disable { of, .. }
            | Self::Enable { of, .. }
            | Self::Confirm { of, .. }
            | Self::Reset { of, .. }
            | Self::SignOut { of, .. }
            | Self::Sessions { of, .. }
            | Self::EndSession { of, .. }
            | Self::Delete { of, .. }
            | Self::Join { of, .. }
            | Self::Leave { of, .. }
            | Self::Groups { of }
            | Self::AddGroup { of, .. }
            | Self::Keys { of }
            | Self::RotateKeys { of, .. }
            | Self::Backup { of, .. }
            | Self::DeleteGroup { of, .. } => of,
        }
    }

    /// What this reads, and of whom, for the audit. `None`: it changes something, which is in the audit with the change, or it reads nothing of
    /// people.
    fn reads(&self) -> Option<(&'static str, Option<&str>)> {
        match self {
            Self::List { .. } => Some(("user.list", None)),
            Self::Show { user, .. } => Some(("user.show", Some(user))),
            Self::Sessions { user, .. } => Some(("user.sessions", Some(user))),
            Self::Backup { .. } => Some(("backup", None)),
            _ => None,
        }
    }

    /// Does it, and says what to print.
    async fn act(&self, users: &Management, passwords: &Passwords, now: Timestamp) -> anyhow::Result<String> {
        let json = self.of().json;
        match self {
            Self::List { which, .. } => which.list(users, json).await,
            Self::Groups { .. } => Ok(output::groups(&users.groups().await?, json)),
            Self::AddGroup { group, description, precedence, .. } => {
                let (name, description) = (group.clone(), description.clone());
                users.put_group(Group { name, description, precedence: *precedence }, now).await?;
                Ok(String::new())
            }
            Self::Backup { out, .. } => {
                users.back_up(out, now).await?;
                Ok(String::new())
            }
            // They need no users.
            Self::Keys { .. } | Self::RotateKeys { .. } => Ok(String::new()),
            Self::DeleteGroup { group, .. } => {
                users.delete_group(group, now).await?;
                Ok(String::new())
            }
            Self::Add { user, attributes, groups, password, .. } => {
                let set = users.attributes_of_new(attributes)?;
                let (first, generated) = password.read(user, &set, passwords, now).await?;
                let (username, attributes, groups) = (user.clone(), attributes.clone(), groups.clone());
                let added = users.add(NewUser { username, password: first, attributes, groups }, now).await?;
                Ok(output::user(&added, generated.as_ref(), json))
            }
            Self::SetPassword { user, temporary, .. } => {
                let who = whom(users, user).await?;
                let generated = credentials::set(&users.show(&who).await?, *temporary, passwords, now).await?;
                Ok(output::user(&users.show(&who).await?, generated.as_ref(), json))
            }
            Self::Sessions { user, .. } => {
                let who = whom(users, user).await?;
                Ok(output::sessions(&users.sessions(&who, now).await?, json))
            }
            Self::EndSession { user, session, others, .. } => {
                let which = if *others { Which::Others(session.clone()) } else { Which::This(session.clone()) };
                if users.end_sessions(&whom(users, user).await?, which, now).await? == 0 && !others {
                    bail!("`{user}` has no session `{session}`");
                }
                Ok(String::new())
            }
            Self::Delete { user, .. } => {
                users.delete(&whom(users, user).await?, now).await?;
                Ok(String::new())
            }
            Self::Show { user, .. }
            | Self::Set { user, .. }
            | Self::Disable { user, .. }
            | Self::Enable { user, .. }
            | Self::Confirm { user, .. }
            | Self::Reset { user, .. }
            | Self::SignOut { user, .. }
            | Self::Join { user, .. }
            | Self::Leave { user, .. } => {
                // By the `sub`: what is changed may be the alias that was typed.
                let who = whom(users, user).await?;
                self.change(&who, users, now).await?;
                Ok(output::user(&users.show(&who).await?, None, json))
            }
        }
    }

    async fn change(&self, user: &str, users: &Management, now: Timestamp) -> anyhow::Result<()> {
        match self {
            Self::Set { attributes, take_alias, .. } => {
                let users = users.clone();
                let users = if *take_alias { users.taking_aliases() } else { users };
                users.set_attributes(user, attributes.clone(), now).await?;
            }
            Self::Disable { .. } => users.set_enabled(user, false, now).await?,
            Self::Enable { .. } => users.set_enabled(user, true, now).await?,
            Self::Confirm { .. } => users.confirm(user, now).await?,
            Self::Reset { .. } => users.reset(user, now).await?,
            Self::SignOut { .. } => users.sign_out(user, now).await?,
            Self::Join { groups, .. } => {
                for group in groups {
                    users.join(user, group, now).await?;
                }
            }
            Self::Leave { groups, .. } => {
                for group in groups {
                    users.leave(user, group, now).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Loads the configuration. If it is not valid, prints why, and returns `None`.
pub(super) fn load(of: &Of) -> Option<config::Config> {
    let loaded = Source::read(&of.config).and_then(|source| config::load(&source, MissingKeys::Refuse));
    if let Err(diagnostics) = &loaded {
        eprintln!("{}", for_stderr(diagnostics));
    }
    loaded.ok()
}

/// The pool of this name, or the only one with a database.
pub(super) fn pool<'c>(config: &'c config::Config, name: Option<&str>) -> anyhow::Result<&'c Settings> {
    let stored = config.user_pools.iter().filter(|pool| pool.settings.store.is_some());
    let pools: Vec<_> = stored.filter(|pool| name.is_none_or(|name| *pool.settings.name == *name)).collect();
    match (&pools[..], name) {
        ([pool], _) => Ok(&pool.settings),
        ([], Some(name)) => bail!("no pool `{name}` with a `store` is in `user_pools`"),
        ([], None) => bail!("no pool of `user_pools` has a `store`: its users are in the configuration file"),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|pool| &*pool.settings.name).collect();
            bail!("several pools have a `store`: name one of them with --pool: {}", names.join(", "))
        }
    }
}

/// The users of the pool, in its database.
pub(in crate::cli) fn users_of(pool: &Settings, now: Timestamp) -> anyhow::Result<StoredUsers> {
    let store = pool.store.as_ref().context("the pool has a store")?;
    let database = Database::open(&store.sqlite, MIGRATIONS, Others::Server, now)?;
    database.unlock(&store.vault)?;
    Ok(StoredUsers { database: Arc::new(database), records: Records { pool: Arc::clone(&pool.name) } })
}

/// Opens the database of the pool.
fn open<'c>(
    config: &'c config::Config,
    name: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<(&'c Settings, StoredUsers)> {
    let pool = pool(config, name)?;
    Ok((pool, users_of(pool, now)?))
}

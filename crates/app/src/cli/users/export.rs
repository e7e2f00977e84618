//! `users export`: what is known of one user, and all users for another pool.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::files;
use crate::cli::progress::{Progress, Unit};
use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::output::pretty;
use crate::cli::users::told::Told;
use crate::user_pool::management::{Cursor, Filter, Management, group_line, user_line};

/// Users that are read from the database at a time.
const AT_A_TIME: usize = 500;

/// Prints everything that the pool knows of a user as JSON, without secrets, to give it to the user. Or writes all users to a file, for `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    of: Of,
    /// The user name, or the `sub`.
    #[arg(required_unless_present = "all")]
    user: Option<String>,
    /// All groups and users, a line of JSON for each, with the hashes of the passwords. Second factors are not in it.
    #[arg(long, conflicts_with = "user", requires = "out")]
    all: bool,
    /// The file to create. It must not exist. Only its owner can read it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let text = match (&self.user, &self.out) {
                (None, Some(out)) => all(&pool, out, self.of.json).await?,
                (Some(user), out) => {
                    out.as_deref().map_or(Ok(()), files::must_be_new)?;
                    let text = pretty(&pool.users.export(user, pool.now).await?.to_json());
                    match out {
                        Some(out) => {
                            files::create_secret(out)?.write_all(text.as_bytes())?;
                            let text = format!("What the pool knows of `{user}` is in {}.", out.display());
                            Told::new("user.export", text, json!({"file": out})).print(self.of.json)
                        }
                        None => text,
                    }
                }
                (None, None) => String::new(),
            };
            Ok((text, ExitCode::SUCCESS))
        })
    }
}

/// Writes everybody, a page at a time.
async fn all(pool: &Opened<'_>, out: &Path, is_json: bool) -> anyhow::Result<String> {
    let users = &pool.users;
    let mut file = BufWriter::new(files::create_secret(out)?);
    let write = async {
        let mut progress = Progress::new("Writing", Unit::Items, users.count().await?, is_json);
        let groups = users.groups().await?;
        for group in &groups {
            writeln!(file, "{}", group_line(group))?;
        }
        let written = write_users(users, &mut file, &mut progress).await?;
        file.into_inner().with_context(|| format!("{} cannot be written", out.display()))?.sync_all()?;
        anyhow::Ok((written, groups.len()))
    };
    let (written, groups) = pool.taking_a_while("users.export", write).await?;
    let text = format!("{written} users and {groups} groups are in {}.", out.display());
    let object = json!({"users": written, "groups": groups, "file": out});
    Ok(Told::new("users.export", text, object).print(is_json))
}

async fn write_users(users: &Management, file: &mut BufWriter<File>, progress: &mut Progress) -> anyhow::Result<usize> {
    let (mut written, mut after): (usize, Option<Cursor>) = (0, None);
    loop {
        let page = users.search(Filter::parse("")?, after, AT_A_TIME).await?;
        for user in &page.users {
            writeln!(file, "{}", user_line(user))?;
        }
        written += page.users.len();
        progress.add(page.users.len() as u64);
        after = page.next;
        if after.is_none() {
            return Ok(written);
        }
    }
}

//! `users import`: users of other systems.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::json;

use crate::cli::progress::{Progress, Unit};
use crate::cli::terminal::print;
use crate::cli::users::opened::{self, Of, Opened};
use crate::user_pool::events::audit::Outcome;
use crate::user_pool::import::reader::{Format, Numbered, Reader};
use crate::user_pool::import::row::Item;
use crate::user_pool::import::table::Dialect;
use crate::user_pool::management::import::{Error, Imported};

/// Users that are written at the same time: as many as the database commits together.
const AT_ONCE: usize = 64;

/// Adds the users of a file. A user who is there already is left alone, so an import that was interrupted can be run again. A line that is wrong is
/// reported, and stops none of the others.
///
/// Users with a `password_hash` (Argon2id, bcrypt, scrypt, PBKDF2) sign in with the password they have. The others choose one, with a code that is
/// sent to their verified address.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    #[command(flatten)]
    of: Of,
    /// The file to read.
    file: PathBuf,
    /// What the file is. Without it: `jsonl` if its name ends so, else `cognito-csv`.
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<From>,
    /// Only say what would become of each line.
    #[arg(long)]
    dry_run: bool,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    /// CSV as Amazon Cognito imports it, with its header. A column `password_hash` may be added.
    CognitoCsv,
    /// CSV with quotes (RFC 4180), and the same columns.
    Csv,
    /// A JSON object in each line, as `users export --all` writes it.
    Jsonl,
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    added: u64,
    existing: u64,
    failed: u64,
}

impl Import {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        opened::run(&self.of, async |pool| {
            let unread = || self.unread();
            let file = File::open(&self.file).with_context(unread)?;
            let bytes = file.metadata().with_context(unread)?.len();
            let mut reader = Reader::new(self.format(), BufReader::new(file)).with_context(unread)?;
            let mut counts = Counts::default();
            if self.dry_run {
                self.all(&pool, (&mut reader, bytes), &mut counts).await?;
            } else {
                pool.users.note_import(Outcome::Begun, String::new(), pool.now).await?;
                let imported = self.all(&pool, (&mut reader, bytes), &mut counts).await;
                let Counts { added, existing, failed } = counts;
                let detail = format!("{added} added, {existing} there already, {failed} refused");
                pool.users.note_import(Outcome::of(&imported), detail, pool.now).await?;
                imported?;
            }
            let code = if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            Ok((self.summary(counts), code))
        })
    }

    /// Imports all records of the file, and counts what became of them.
    async fn all(
        &self,
        pool: &Opened<'_>,
        (reader, bytes): (&mut Reader<BufReader<File>>, u64),
        counts: &mut Counts,
    ) -> anyhow::Result<()> {
        let name = if self.dry_run { "Checking" } else { "Importing" };
        let mut progress = Progress::new(name, Unit::Bytes, bytes, self.of.json);
        let mut seen = HashSet::new();
        loop {
            let mut batch = Vec::new();
            while batch.len() < AT_ONCE
                && let Some(record) = reader.record().with_context(|| self.unread())?
            {
                batch.push(record);
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.batch(pool, batch, counts, &mut seen).await?;
            progress.add(reader.take_bytes());
        }
    }

    fn unread(&self) -> String {
        format!("`{}` cannot be read", self.file.display())
    }

    fn format(&self) -> Format {
        let is_json = self.file.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson");
        match self.from {
            Some(From::Jsonl) => Format::JsonLines,
            Some(From::Csv) => Format::Table(Dialect::Rfc4180),
            None if is_json => Format::JsonLines,
            Some(From::CognitoCsv) | None => Format::Table(Dialect::Cognito),
        }
    }

    /// Imports some records at the same time, and reports those that are refused, in their order.
    async fn batch(
        &self,
        pool: &Opened<'_>,
        batch: Vec<Numbered>,
        counts: &mut Counts,
        seen: &mut HashSet<u64>,
    ) -> anyhow::Result<()> {
        let mut work = Vec::new();
        for (line, item) in batch {
            let is_again = self.dry_run && item.as_ref().is_ok_and(|item| is_again(item, seen));
            work.push(async move {
                let outcome = match item {
                    Err(fault) => Err(fault.to_string()),
                    Ok(_) if is_again => Ok(Imported::Exists),
                    Ok(item) => match pool.users.import(item, self.dry_run, pool.now).await {
                        Err(error) if error.is_fatal() => return Err(error),
                        imported => imported.map_err(|error| error.to_string()),
                    },
                };
                Ok((line, outcome))
            });
        }
        for done in join_all(work).await {
            let (line, outcome) = done.map_err(|error: Error| error).context("the import stopped: run it again")?;
            match outcome {
                Ok(Imported::Added) => counts.added += 1,
                Ok(Imported::Exists) => counts.existing += 1,
                Err(why) => {
                    counts.failed += 1;
                    let text = match self.of.json {
                        true => json!({"line": line, "error": why}).to_string(),
                        false => format!("line {line}: {why}"),
                    };
                    print(&(text + "\n"))?;
                }
            }
        }
        Ok(())
    }

    fn summary(&self, Counts { added, existing, failed }: Counts) -> String {
        if self.of.json {
            return json!({"dry_run": self.dry_run, "added": added, "existing": existing, "failed": failed})
                .to_string()
                + "\n";
        }
        let added = if self.dry_run { format!("{added} would be added") } else { format!("{added} added") };
        format!("{added}, {existing} there already, {failed} refused\n")
    }
}

/// Whether the file had this name before. A trial writes nothing, so the database does not know.
fn is_again(item: &Item, seen: &mut HashSet<u64>) -> bool {
    let Item::User(row) = item else { return false };
    let mut hasher = DefaultHasher::new();
    row.username.to_lowercase().hash(&mut hasher);
    !seen.insert(hasher.finish())
}

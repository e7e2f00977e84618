//! `users breach-list`: makes the file of `breach_list_file`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::cli::progress::{Progress, Unit};
use crate::cli::terminal::print;
use crate::user_pool::credential::breach::build::{Builder, ENTRIES_IN_MEMORY, Lines};

/// Makes the file of `password_policy.breach_list_file` from passwords that attackers know.
///
/// The input is what the downloader of Have I Been Pwned writes: one file with lines `SHA1:COUNT`, or a directory with a file for each range.
/// It needs 64 MiB of memory, and twice the size of the list on the disk while it works. The process that serves takes the new list at its next
/// reload.
#[derive(Debug, clap::Args)]
pub(crate) struct BreachListCommand {
    /// Files to read, or directories whose files are read.
    #[arg(required = true, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The file to write. If it exists, it is replaced when the new one is complete.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Leave out passwords that were seen less often.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "plain")]
    min_count: u64,
    /// The files have a password in each line, not its SHA-1.
    #[arg(long)]
    plain: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl BreachListCommand {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let files = self.files()?;
        let lines = if self.plain { Lines::Plain } else { Lines::Hashes { min_count: self.min_count } };
        let mut builder = Builder::new(&self.out, ENTRIES_IN_MEMORY);
        let bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let mut progress = Progress::new("Reading", Unit::Bytes, bytes, self.json);
        for (file, _) in &files {
            builder.add(file, lines, |bytes| progress.add(bytes))?;
        }
        drop(progress);
        let mut progress = Progress::new("Merging", Unit::Items, builder.collected(), self.json);
        let counts = builder.finish(|entries| progress.add(entries))?;
        drop(progress);
        let text = if self.json {
            format!("{:#}\n", json!({"lines": counts.lines, "left_out": counts.rare, "passwords": counts.entries}))
        } else {
            format!("{} passwords of {} lines are in {}\n", counts.entries, counts.lines, self.out.display())
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is read, with the bytes of each file.
    fn files(&self) -> anyhow::Result<Vec<(PathBuf, u64)>> {
        let mut files = Vec::new();
        for path in &self.input {
            let unread = || format!("`{}` cannot be read", path.display());
            if path.is_dir() {
                for entry in path.read_dir().with_context(unread)? {
                    files.extend(file(&entry.with_context(unread)?.path())?);
                }
            } else {
                files.push(file(path)?.with_context(unread)?);
            }
        }
        files.sort_unstable();
        if files.is_empty() { bail!("there is no file to read") } else { Ok(files) }
    }
}

/// A file and its size. `None` for a directory.
fn file(path: &Path) -> anyhow::Result<Option<(PathBuf, u64)>> {
    let metadata = path.metadata().with_context(|| format!("`{}` cannot be read", path.display()))?;
    Ok((!metadata.is_dir()).then(|| (path.to_owned(), metadata.len())))
}

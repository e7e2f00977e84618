//! `reload`: asks a running process to load its configuration again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;

use crate::cli::admin_client::Process;
use crate::cli::terminal::print;

/// A reload takes as long as its files take to read.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What to do if nobody answers at the address that the file says.
const NO_ANSWER: &str = "Is the process running? If it was started with another `admin.address` than the file has now, name that one: \
                         `--url http://ADDRESS/reload`";

/// Asks a running process to load its configuration file again, and prints what is different, or what is wrong with the file.
///
/// Exit code 0 if the configuration is in force, otherwise 1: then the process goes on with the one before.
#[derive(Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    process: Process,
}

impl Reload {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let endpoint = self.process.endpoint("/reload")?;
        let answer = endpoint.ask("POST", TIMEOUT).map_err(|error| match &self.process.url {
            Some(_) => error,
            None => anyhow!("{error:#}\n{NO_ANSWER}"),
        })?;
        match answer.status {
            200 => {
                print(&answer.body)?;
                Ok(ExitCode::SUCCESS)
            }
            422 => {
                eprintln!("{}", answer.body.trim_end());
                Ok(ExitCode::FAILURE)
            }
            status => anyhow::bail!("{} answered {status}: {}", endpoint.url(), answer.body.trim_end()),
        }
    }
}

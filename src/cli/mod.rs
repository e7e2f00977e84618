//! The command line. Start at [`run`].
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "commands print to the terminal")]

mod check;
mod dev;
mod files;
mod healthcheck;
mod keys;
mod schema;
mod serve;
mod users;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::telemetry::logging;

/// Maximum time to write the last log lines.
const LOG_END_MAX: Duration = Duration::from_millis(100);

/// An authenticating HTTPS reverse proxy with a built-in OpenID provider.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0: success; 1: failure, described on standard error; 2: invalid command line.";

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    Check(check::Check),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Users(users::Users),
    Schema(schema::Schema),
    Healthcheck(healthcheck::Healthcheck),
}

/// A command line that is complete, but has a value that the command cannot use.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUse(String);

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Dev(dev) => dev.run(),
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Keys(keys) => keys.run(),
        Command::Users(users) => users.run(),
        Command::Schema(schema) => schema.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
    };
    // Write the log lines before the error message.
    logging::flush(LOG_END_MAX);
    result.unwrap_or_else(|error| {
        if let Some(WrongUse(message)) = error.downcast_ref() {
            // Prints the usage, and ends with exit code 2.
            Arguments::command().error(ErrorKind::ValueValidation, message).exit();
        }
        eprintln!("vestibule: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests;

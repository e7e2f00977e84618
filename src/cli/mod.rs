//! The command line. Start at [`run`].
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a command speaks to the one who typed it")]

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

use clap::{Parser, Subcommand};

use crate::telemetry::logging;

/// For the last log lines to be written.
const LOG_END_MAX: Duration = Duration::from_millis(100);

/// An authenticating HTTPS reverse proxy, with the OpenID provider behind it.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0, done; 1, it could not be done or something is wrong, said on standard error; \
                          2, the command line is not one.";

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

/// Runs the command of this process's arguments.
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
    // What was logged on the way comes first.
    logging::flush(LOG_END_MAX);
    result.unwrap_or_else(|error| {
        eprintln!("vestibule: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests;

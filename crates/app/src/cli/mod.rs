//! The command line. Start at [`run`].
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "commands print to the terminal")]

#[cfg(target_os = "linux")]
mod activation;
mod admin_client;
mod check;
mod dev;
mod exit;
mod files;
mod healthcheck;
mod import;
mod keys;
mod login;
mod progress;
mod reload;
mod schema;
mod serve;
#[cfg(target_os = "linux")]
mod takeover;
mod terminal;
mod test;
mod texts;
mod users;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::telemetry::logging;

/// Maximum time to write the last log lines.
const LOG_END_MAX: Duration = Duration::from_millis(100);

/// An authenticating HTTPS reverse proxy with a built-in OpenID provider.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, after_help = exit::CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    Check(check::Check),
    Test(test::Test),
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Users(users::Users),
    Schema(schema::Schema),
    Texts(texts::Texts),
    Reload(reload::Reload),
    Healthcheck(healthcheck::Healthcheck),
    Login(login::Login),
    Logout(login::Logout),
    #[command(subcommand)]
    Import(import::Import),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Dev(dev) => dev.run(),
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Test(test) => test.run(),
        Command::Keys(keys) => keys.run(),
        Command::Users(users) => users.run(),
        Command::Schema(schema) => schema.run(),
        Command::Texts(texts) => texts.run(),
        Command::Reload(reload) => reload.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
        Command::Login(login) => login.run(),
        Command::Logout(logout) => logout.run(),
        Command::Import(import) => import.run(),
    };
    // Write the log lines before the error message.
    logging::flush(LOG_END_MAX);
    exit::code(result, Arguments::command)
}

#[cfg(test)]
mod tests;

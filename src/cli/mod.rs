//! The command line. Start at [`run`].
#![expect(clippy::print_stderr, reason = "a command says what is wrong to the one who typed it")]

mod dev;
mod files;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An authenticating HTTPS reverse proxy, with the OpenID provider behind it.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
}

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Dev(dev) => dev.run(),
        Command::Serve(serve) => serve.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("vestibule: {error:#}");
        ExitCode::FAILURE
    })
}

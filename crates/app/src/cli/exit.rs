//! How a command ends: exit code, and what is printed for a failure.

use std::process::ExitCode;

use clap::Command;
use clap::error::ErrorKind;

use crate::message::causes::with_causes;

/// Shown by `--help`.
pub(super) const CODES: &str =
    "Exit codes: 0: success; 1: failure, described on standard error; 2: invalid command line.";

/// A command line that is complete, but has a value that the command cannot use.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUse(pub(super) String);

/// The exit code of a command. Prints the error of one that failed. After [`WrongUse`], prints the usage and ends the process with 2.
pub(super) fn code(result: anyhow::Result<ExitCode>, usage: impl FnOnce() -> Command) -> ExitCode {
    result.unwrap_or_else(|error| {
        if let Some(WrongUse(message)) = error.downcast_ref() {
            usage().error(ErrorKind::ValueValidation, message).exit();
        }
        eprintln!("vestibule: {}", with_causes(&*error));
        ExitCode::FAILURE
    })
}

//! `users`: prints values for the users of a configuration.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use zeroize::Zeroize as _;

use crate::cli::terminal::print;
use crate::secret::Secret;
use crate::user_pool::credential::password::{self, PASSWORD_MAX_BYTES};

/// Creates values for `user_pools.<name>.users`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Users {
    /// Reads a password from one line of standard input, and prints its Argon2id hash for `password_hash`.
    ///
    /// From a script: `printf %s "$PASSWORD" | vestibule users hash`. The terminal shows the password while you type;
    /// to avoid that, read it with `read -s PASSWORD` in the shell first.
    Hash,
}

impl Users {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Hash => {
                let stdin = std::io::stdin();
                if stdin.is_terminal() {
                    eprintln!("Password (visible while you type):");
                }
                let password = read_password(stdin.lock())?;
                print(&format!("{}\n", password::hash(&password).expose()))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The first line, without its line ending.
fn read_password(input: impl std::io::BufRead) -> anyhow::Result<Secret<String>> {
    let mut line = String::new();
    let limit = u64::try_from(PASSWORD_MAX_BYTES + 2)?;
    input.take(limit).read_line(&mut line).context("the password cannot be read")?;
    let password = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
    line.zeroize();
    match password.expose().len() {
        0 => bail!("the password is empty"),
        length if length > PASSWORD_MAX_BYTES => bail!("the password is longer than {PASSWORD_MAX_BYTES} bytes"),
        _ => Ok(password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        for input in ["correct horse", "correct horse\n", "correct horse\r\nmore\n"] {
            assert_eq!(read_password(input.as_bytes()).unwrap().expose(), "correct horse");
        }
    }

    #[test]
    fn no_password_and_an_endless_one_are_refused() {
        assert!(read_password("".as_bytes()).is_err());
        assert!(read_password("\nlater\n".as_bytes()).is_err());
        assert!(read_password("x".repeat(PASSWORD_MAX_BYTES + 1).as_bytes()).is_err());
        assert!(read_password("x".repeat(PASSWORD_MAX_BYTES).as_bytes()).is_ok());
    }
}

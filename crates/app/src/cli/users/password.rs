//! Passwords from standard input.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use zeroize::Zeroize as _;

use crate::secret::Secret;
use crate::user_pool::credential::password::PASSWORD_MAX_BYTES;

/// A password, or its hash, from standard input. A terminal shows what is asked for.
pub(super) fn ask(what: &str) -> anyhow::Result<Secret<String>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("{what} (visible while you type):");
    }
    read_password(stdin.lock())
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

//! Key files: the format of keys for sessions and tickets, and making keys that are missing.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::crypto::octets;
use crate::jose::signing_key::{Algorithm, SigningKey};
use crate::secret::Secret;

/// What to do if a key file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingKeys {
    /// Report it. Replicas with different keys could not decrypt the sessions of each other.
    Refuse,
    /// Create one and print a message: for `vestibule dev`.
    Make,
}

/// What a key file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    Signing(Algorithm),
    Ticket,
    Store,
}

impl Kind {
    /// The command that creates such a key in the file `out`.
    pub(crate) fn command(self, out: &str) -> String {
        match self {
            Self::Session => format!("vestibule keys session --out {out}"),
            Self::Signing(Algorithm::Es256) => format!("vestibule keys signing --out {out}"),
            Self::Signing(Algorithm::Rs256) => format!("vestibule keys signing --algorithm rs256 --out {out}"),
            Self::Ticket => format!("vestibule keys ticket --out {out}"),
            Self::Store => format!("vestibule keys store --out {out}"),
        }
    }
}

/// A key file that the configuration names and that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingKey {
    pub(crate) file: PathBuf,
    pub(crate) kind: Kind,
}

impl MissingKey {
    /// Creates the key. Returns what to tell the user.
    ///
    /// # Errors
    ///
    /// As [`write_new`].
    pub(crate) fn make(&self) -> io::Result<String> {
        let (text, kind) = match self.kind {
            Kind::Session => (new_secret_key(), "session"),
            Kind::Signing(Algorithm::Es256) => (SigningKey::generate_pem(), "signing"),
            Kind::Signing(Algorithm::Rs256) => (SigningKey::generate_rsa_pem(), "signing"),
            Kind::Ticket => (new_secret_key(), "ticket"),
            Kind::Store => (new_secret_key(), "store"),
        };
        write_new(&self.file, &text)?;
        Ok(format!("created the {kind} key {}", self.file.display()))
    }
}

/// Length of a key for sessions or tickets in bytes (AES-256).
const SECRET_KEY_BYTES: usize = 32;

/// The reason why a text is not a key for sessions or tickets.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Neither hexadecimal nor base64.
    #[error("is not a key: 64 hexadecimal digits, or base64")]
    NotAKey,
    /// Fewer than 256 bits.
    #[error("holds a key of {0} bits; it needs at least 256")]
    Length(usize),
    /// All bytes are equal: a placeholder.
    #[error("holds a key that is not random")]
    NotRandom,
}

/// A new key for sessions or tickets in the format of a key file: one line of hexadecimal digits.
pub(crate) fn new_secret_key() -> Secret<String> {
    let mut text: String = octets::random::<SECRET_KEY_BYTES>().iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    Secret::new(text)
}

/// Parses the format of [`new_secret_key`], or base64. A key of more than 256 bits is hashed to 256 bits.
pub(crate) fn secret_key(text: &Secret<String>) -> Result<Secret<[u8; SECRET_KEY_BYTES]>, Error> {
    let text = text.expose().trim();
    let bytes = Secret::new(hexadecimal(text).or_else(|| base64(text)).ok_or(Error::NotAKey)?);
    let bytes = bytes.expose().as_slice();
    if bytes.len() < SECRET_KEY_BYTES {
        return Err(Error::Length(bytes.len() * 8));
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(Error::NotRandom);
    }
    Ok(Secret::new(bytes.try_into().unwrap_or_else(|_| octets::sha256(bytes))))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let sound = !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // 32 hexadecimal digits are also valid base64 of 24 bytes; both are too short.
    let digits = sound.then_some(text)?;
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.is_empty() {
        return None;
    }
    STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
}

/// The text of a key file for sessions or tickets. A file that is not text contains the key bytes themselves (`head -c 32
/// /dev/urandom`).
pub(crate) fn secret_key_text(content: Vec<u8>) -> Secret<String> {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Secret::new(String::from_utf8(content).unwrap_or_else(|raw| hexadecimal(raw.as_bytes())))
}

/// Writes a secret to a new file with mode 0600.
///
/// # Errors
///
/// Returns an error if the file exists or cannot be written.
pub(crate) fn write_new(path: &Path, text: &Secret<String>) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        // A missing folder is created with mode 0700.
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700).create(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

/// The text of the error without its number.
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests;

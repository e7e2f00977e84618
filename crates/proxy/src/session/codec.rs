//! Encodes a [`Session`] as bytes with a version number, and decodes them. No other file knows the layout. Bytes of another
//! version are refused here.
//!
//! `version (1) ‖ deflate(JSON)`. JSON is unambiguous about where one field ends and the next begins (attacks S-04).

use std::cell::RefCell;
use std::sync::Arc;

use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as NO_WINDOW;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::identity::{Claims, Identity};
use crate::secret::Secret;
use crate::session::error::Error;
use crate::session::record::{Session, SessionId};

const VERSION: u8 = 1;

/// Maximum size of a session before compression, in bytes. A cookie that decompresses to more is a decompression bomb
/// (attacks D-09). Vestibule never writes a larger session, because the reader would refuse it (pitfalls 23).
const PLAIN_BYTES_MAX: usize = 64 * 1024;

#[derive(Serialize)]
struct Written<'a> {
    id: [u8; 16],
    generation: u32,
    provider: &'a str,
    issuer: &'a str,
    subject: &'a str,
    claims: &'a Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    authenticated_at: u64,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token_expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_asked_again: bool,
}

#[derive(Deserialize)]
struct Read {
    id: [u8; 16],
    generation: u32,
    provider: String,
    issuer: String,
    subject: String,
    claims: Claims,
    access_token: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
    authenticated_at: u64,
    expires_at: u64,
    refresh_at: Option<u64>,
    access_token_expires_at: Option<u64>,
    nonce_hash: Option<String>,
    #[serde(default)]
    is_asked_again: bool,
}

/// Encodes a session.
///
/// # Errors
///
/// [`Error::TooLarge`] if the session is larger than [`PLAIN_BYTES_MAX`] before compression.
pub(super) fn encode(session: &Session) -> Result<Vec<u8>, Error> {
    let written = Written {
        id: session.id.0,
        generation: session.generation,
        provider: &session.provider,
        issuer: session.identity.issuer(),
        subject: session.identity.subject(),
        claims: session.identity.claims(),
        access_token: expose(session.identity.access_token()),
        refresh_token: expose(session.refresh_token.as_ref()),
        id_token: expose(session.id_token.as_ref()),
        authenticated_at: session.authenticated_at.millis(),
        expires_at: session.expires_at.millis(),
        refresh_at: session.refresh_at.map(Timestamp::millis),
        access_token_expires_at: session.access_token_expires_at.map(Timestamp::millis),
        nonce_hash: session.nonce_hash.as_deref(),
        is_asked_again: session.is_asked_again,
    };
    let plain = serde_json::to_vec(&written).map_err(|_| Error::TooLarge)?;
    if plain.len() > PLAIN_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    Ok(deflated(&plain))
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.append(&mut compress_to_vec(plain, CompressionLevel::BestCompression as u8));
    bytes
}

fn expose(token: Option<&Secret<String>>) -> Option<&str> {
    token.map(|token| token.expose().as_str())
}

/// Decodes bytes that [`encode`] wrote.
///
/// # Errors
///
/// [`Error::Version`] for bytes of another version, [`Error::Invalid`] for bytes that are not a session.
pub(super) fn decode(bytes: &[u8]) -> Result<Session, Error> {
    let (&version, compressed) = bytes.split_first().ok_or(Error::Invalid)?;
    if version != VERSION {
        return Err(Error::Version);
    }
    let plain = inflated(compressed)?;
    let read: Read = serde_json::from_slice(&plain).map_err(|_| Error::Invalid)?;
    // The bytes were decrypted with one of our keys, so `Identity::assertion` may be called: the user was verified at login.
    let access_token = read.access_token.map(Secret::new);
    let identity = Identity::assertion(read.issuer, read.subject, read.claims, access_token);
    Ok(Session {
        id: SessionId(read.id),
        generation: read.generation,
        provider: read.provider,
        identity: Arc::new(identity),
        refresh_token: read.refresh_token.map(Secret::new),
        id_token: read.id_token.map(Secret::new),
        authenticated_at: Timestamp::from_millis(read.authenticated_at),
        expires_at: Timestamp::from_millis(read.expires_at),
        refresh_at: read.refresh_at.map(Timestamp::from_millis),
        access_token_expires_at: read.access_token_expires_at.map(Timestamp::from_millis),
        nonce_hash: read.nonce_hash,
        is_asked_again: read.is_asked_again,
    })
}

thread_local! {
    /// Working memory for decompression: 10 KB, reused so that it is not allocated for each session.
    static INFLATER: RefCell<Box<DecompressorOxide>> = RefCell::default();
}

/// Decompresses a whole deflate stream (RFC 1951) into at most [`PLAIN_BYTES_MAX`] bytes.
fn inflated(compressed: &[u8]) -> Result<Vec<u8>, Error> {
    INFLATER.with_borrow_mut(|inflater| {
        inflater.init();
        let mut plain = vec![0; (compressed.len() * 2).clamp(1024, PLAIN_BYTES_MAX)];
        let (mut read, mut written) = (0, 0);
        loop {
            let rest = compressed.get(read..).unwrap_or_default();
            let (status, more_read, more_written) = decompress(inflater, rest, &mut plain, written, NO_WINDOW);
            (read, written) = (read + more_read, written + more_written);
            match status {
                TINFLStatus::Done => {
                    plain.truncate(written);
                    return Ok(plain);
                }
                TINFLStatus::HasMoreOutput if plain.len() < PLAIN_BYTES_MAX => {
                    plain.resize((plain.len() * 2).min(PLAIN_BYTES_MAX), 0);
                }
                _ => return Err(Error::Invalid),
            }
        }
    })
}

#[cfg(test)]
mod tests;

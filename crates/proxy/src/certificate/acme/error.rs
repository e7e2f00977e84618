//! Why there is no certificate.

use std::io;

use crate::backchannel::call;
use crate::certificate::chain;

/// Why an attempt to obtain a certificate failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The authority refused, or did not answer.
    #[error("the authority: {0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority could not verify that the name leads here. The text is the authority's.
    #[error("the authority could not verify the name: {0}")]
    NotVerified(String),
    /// The authority does not offer the challenge of the settings.
    #[error("the authority does not offer the challenge {0}")]
    NoChallenge(&'static str),
    /// The whole attempt took too long.
    #[error("no certificate in time")]
    Timeout,
    /// What the authority sent, or what is in the folder, is no certificate for the key.
    #[error("the certificate cannot be used: {0}")]
    NotACertificate(#[from] chain::Error),
    /// The certificate is for other names.
    #[error("the certificate is for another name")]
    OtherName,
    /// A key or a request could not be made.
    #[error("the request for the certificate could not be made: {0}")]
    Request(#[from] rcgen::Error),
    /// The client for calls could not be made.
    #[error("the authority cannot be called: {0}")]
    Client(#[source] call::Error),
    /// The folder cannot be read or written.
    #[error("the folder: {0}")]
    Folder(#[from] io::Error),
    /// The account file is not one that Vestibule wrote.
    #[error("the account file is damaged: {0}")]
    Account(#[source] serde_json::Error),
}

impl Error {
    /// Whether the authority does not know the account (RFC 8555 §6.7).
    pub(super) fn is_unknown_account(&self) -> bool {
        const TYPE: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
        matches!(self, Self::Authority(instant_acme::Error::Api(problem)) if problem.r#type.as_deref() == Some(TYPE))
    }
}

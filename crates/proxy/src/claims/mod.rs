//! Tells the target who the user is, in headers that it can verify (DESIGN §4).
//!
//! Parts that depend only on the configuration are made at load ([`ClaimsHeaders::new`]). Parts that depend on the user are
//! made once for each decrypted session ([`ClaimsHeaders::prepare`]). Each request then costs a few header values, and a new
//! signature if the last one for its audience is a minute old. This room knows no session, cookie or rule. Start at
//! [`ClaimsHeaders`].
//!
//! `message::header::Protected` removes headers with these names from a client's request. It gets the names from
//! [`ClaimsHeaders::owned_names`]. This happens on every rule, even if the rule does not sign users in.

pub mod settings;

mod encode;
pub mod public_keys;
mod signer;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};

use std::sync::Arc;

use crate::claims::settings::{ClaimHeader, Settings};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::jose;
use crate::message::header::{OIDC_ACCESS_TOKEN, OIDC_DATA, OIDC_IDENTITY};
use crate::message::own_fields::OwnFields;
use public_keys::PublicKeys;
use signer::{Assertions, Signer};

/// Why a request must not be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The claims could not be signed. This is a fault of Vestibule.
    #[error(transparent)]
    Signing(#[from] jose::signing_key::Error),
    /// A header would be longer than `claims.header_bytes_max`: the provider sends too many claims about the user.
    #[error("the header `{header}` would have {bytes} bytes; the limit `claims.header_bytes_max` is {most}")]
    TooLarge {
        /// The name of the header.
        header: &'static str,
        /// The length that the header would have.
        bytes: usize,
        /// The limit `claims.header_bytes_max`.
        most: usize,
    },
}

/// The headers that a deployment sends, and the key that signs them.
#[derive(Debug)]
pub struct ClaimsHeaders {
    signer: Signer,
    public_keys: PublicKeys,
    access_token: bool,
    mapped: Vec<ClaimHeader>,
    header_bytes_max: usize,
}

/// One user's header values. Made when a session is decrypted, and used by each request of the session.
#[derive(Debug)]
pub struct Prepared {
    identity: HeaderValue,
    access_token: Option<HeaderValue>,
    /// The mapped claims, in the order of the configuration. A header without a value is removed from the request.
    mapped: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// Headers whose claim has a value that cannot be written into a header.
    inexpressible: Vec<HeaderName>,
    /// The name and the length of a built-in header that would be longer than `claims.header_bytes_max`.
    too_long: Option<(&'static str, usize)>,
    assertions: Assertions,
}

impl ClaimsHeaders {
    /// Prepares everything that does not depend on a user.
    pub fn new(settings: Settings) -> Self {
        let public_keys = PublicKeys::new(settings.signing_key.public(), &settings.other_keys);
        Self {
            public_keys,
            access_token: settings.access_token_header,
            mapped: settings.claim_headers,
            header_bytes_max: settings.header_bytes_max,
            signer: Signer::new(settings.signing_key, settings.format, settings.signer),
        }
    }

    /// The names of the headers that the configuration adds to the built-in ones. No client may set them.
    pub fn owned_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.mapped.iter().map(|mapped| &mapped.header)
    }

    /// Whether a session has to keep the access token.
    pub(crate) fn wants_access_token(&self) -> bool {
        self.access_token
    }

    /// The public keys that verify our signatures.
    pub fn public_keys(&self) -> &PublicKeys {
        &self.public_keys
    }

    /// Prepares a user's header values. `client_id` is Vestibule's client id at the user's provider.
    pub fn prepare(&self, identity: &Identity, client_id: &str) -> Prepared {
        let token = identity.access_token().filter(|_| self.access_token);
        let mut inexpressible = Vec::new();
        let mapped = self.mapped.iter().map(|mapped| {
            let claim = identity.claim(&mapped.claim).unwrap_or_default();
            let values = encode::claim(&claim, mapped.encoding).unwrap_or_else(|encode::Inexpressible| {
                inexpressible.push(mapped.header.clone());
                Vec::new()
            });
            (mapped.header.clone(), values)
        });
        let mapped = mapped.collect();
        let access_token = token.and_then(|token| sensitive(token.expose()));
        let identity_value = encode::text(identity.subject());
        let assertions = self.signer.prepare(identity, client_id);
        let lengths = [
            ("x-amzn-oidc-data", assertions.length()),
            ("x-amzn-oidc-identity", identity_value.len()),
            ("x-amzn-oidc-accesstoken", access_token.as_ref().map_or(0, HeaderValue::len)),
        ];
        Prepared {
            identity: identity_value,
            access_token,
            too_long: lengths.into_iter().find(|(_, length)| *length > self.header_bytes_max),
            mapped,
            inexpressible,
            assertions,
        }
    }

    /// Adds a user's headers to a request for `audience`, which is the target group. If a header has no value, the client's
    /// header of the same name is removed too: "no value" must not mean "keep what the client sent" (attacks H-09).
    ///
    /// # Errors
    ///
    /// [`Error`] if the signature could not be made, or a header would be too long. The request must not be forwarded without the headers.
    pub fn apply(
        &self,
        prepared: &Prepared,
        audience: &Arc<str>,
        now: Timestamp,
        fields: &mut OwnFields,
    ) -> Result<(), Error> {
        if let Some((header, bytes)) = prepared.too_long {
            return Err(Error::TooLarge { header, bytes, most: self.header_bytes_max });
        }
        fields.add(OIDC_DATA, self.signer.assertion(&prepared.assertions, audience, now)?);
        fields.add(OIDC_IDENTITY, prepared.identity.clone());
        set(fields, &OIDC_ACCESS_TOKEN, prepared.access_token.as_slice());
        for (name, values) in &prepared.mapped {
            set(fields, name, values);
        }
        Ok(())
    }
}

impl ClaimsHeaders {
    /// The headers as [`apply`](Self::apply) writes them, of a user who is only supposed: for `check` and `test`. `x-amzn-oidc-data` is the
    /// payload of the token as JSON, without a signature: nobody was verified, so nothing that a target accepts may be printed.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    pub(crate) fn show(
        &self,
        identity: &Identity,
        client_id: &str,
        audience: &Arc<str>,
        now: Timestamp,
    ) -> Result<OwnFields, Error> {
        let mut fields = OwnFields::default();
        self.apply(&self.prepare(identity, client_id), audience, now, &mut fields)?;
        let payload = fields.iter().find(|(name, _)| **name == OIDC_DATA).and_then(|(_, token)| payload(token));
        fields.set(OIDC_DATA, payload.unwrap_or_else(|| HeaderValue::from_static("(signed claims)")));
        if self.access_token {
            fields.set(OIDC_ACCESS_TOKEN, HeaderValue::from_static("(the access token of the user)"));
        }
        Ok(fields)
    }
}

/// The second part of a JWT. The ALB writes it with padding.
fn payload(token: &HeaderValue) -> Option<HeaderValue> {
    let part = token.to_str().ok()?.split('.').nth(1)?;
    HeaderValue::from_bytes(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
}

impl Prepared {
    /// Headers that are omitted because their claim has a value that cannot be written into a header.
    pub(crate) fn inexpressible(&self) -> &[HeaderName] {
        &self.inexpressible
    }

    /// The approximate memory of the prepared values in bytes.
    pub(crate) fn weight(&self) -> usize {
        let mapped: usize = self.mapped.iter().flat_map(|(_, values)| values).map(HeaderValue::len).sum();
        let token = self.access_token.as_ref().map_or(0, HeaderValue::len);
        self.identity.len() + token + mapped + self.assertions.weight()
    }
}

fn set(fields: &mut OwnFields, name: &HeaderName, values: &[HeaderValue]) {
    if values.is_empty() {
        fields.omit(name.clone());
    }
    for value in values {
        fields.add(name.clone(), value.clone());
    }
}

/// The token as a header value, unchanged. RFC 6750 §2.1 allows visible ASCII only; `None` for text that no header can carry.
fn sensitive(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(token).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;

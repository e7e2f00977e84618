//! Tells the target who the user is, in headers that it can verify (DESIGN §4).
//!
//! What the configuration fixes is made at load ([`ClaimsHeaders::new`]), what the user fixes once for each opened session
//! ([`ClaimsHeaders::prepare`]); a request costs a few header values, and a signature where the last one for its
//! audience is a minute old. Knows no session, cookie or rule. Start at [`ClaimsHeaders`].
//!
//! Stripping what a client sent under these names is `message::header::Protected`'s work, with
//! [`ClaimsHeaders::owned_names`]; it happens on every rule, also where nobody is signed in.

pub(crate) mod error;
pub(crate) mod settings;

mod encode;
pub(crate) mod public_keys;
mod signer;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use std::sync::Arc;

use crate::claims::error::Error;
use crate::claims::settings::{ClaimHeader, Settings};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::message::header::{OIDC_ACCESS_TOKEN, OIDC_DATA, OIDC_IDENTITY};
use crate::message::own_fields::OwnFields;
use public_keys::PublicKeys;
use signer::{Assertions, Signer};

/// The headers that a deployment sends, and the key that signs them.
#[derive(Debug)]
pub(crate) struct ClaimsHeaders {
    signer: Signer,
    public_keys: PublicKeys,
    access_token: bool,
    mapped: Vec<ClaimHeader>,
    header_bytes_max: usize,
}

/// One user's header values. Made when a session is opened, used by each of its requests.
#[derive(Debug)]
pub(crate) struct Prepared {
    identity: HeaderValue,
    access_token: Option<HeaderValue>,
    /// In the order of the configuration; without a value, the header is taken out.
    mapped: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// Headers whose claim has a value that cannot be written.
    inexpressible: Vec<HeaderName>,
    /// A built-in header that would be longer than it may be, and how long.
    too_long: Option<(&'static str, usize)>,
    assertions: Assertions,
}

impl ClaimsHeaders {
    /// Prepares what does not depend on a user.
    pub(crate) fn new(settings: Settings) -> Self {
        let public_keys = PublicKeys::new(settings.signing_key.public(), &settings.other_keys);
        Self {
            public_keys,
            access_token: settings.access_token_header,
            mapped: settings.claim_headers,
            header_bytes_max: settings.header_bytes_max,
            signer: Signer::new(settings.signing_key, settings.format, settings.signer),
        }
    }

    /// The headers that the configuration makes ours, beside the built-in ones: no client may set them.
    pub(crate) fn owned_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.mapped.iter().map(|mapped| &mapped.header)
    }

    /// Whether a session has to keep the access token.
    pub(crate) fn wants_access_token(&self) -> bool {
        self.access_token
    }

    /// What verifies our signatures.
    pub(crate) fn public_keys(&self) -> &PublicKeys {
        &self.public_keys
    }

    /// Prepares a user's header values. `client_id` is ours at the provider that speaks for the user.
    pub(crate) fn prepare(&self, identity: &Identity, client_id: &str) -> Prepared {
        let token = identity.access_token().filter(|_| self.access_token);
        let mut inexpressible = Vec::new();
        let mapped = self.mapped.iter().map(|mapped| {
            let claim = claim(identity, &mapped.claim).unwrap_or_default();
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

    /// Adds a user's headers to those of a request for `audience`, which is the target group. A header of ours that has no
    /// value is left out: absent is not "keep what the client sent" (attacks H-09).
    ///
    /// # Errors
    ///
    /// Where the signature could not be made, or a header would be too long: the request must not go on without.
    pub(crate) fn apply(
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

impl Prepared {
    /// Headers that are left out because their claim has a value that cannot be written.
    pub(crate) fn inexpressible(&self) -> &[HeaderName] {
        &self.inexpressible
    }

    /// About how many bytes of memory it takes.
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

/// A token as it came: RFC 6750 §2.1 allows visible ASCII only, so what is not that is no token.
fn sensitive(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(token).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The claim at a path; `sub` and `iss` are always there.
fn claim(identity: &Identity, path: &[String]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    match (first.as_str(), rest) {
        ("sub", []) => Some(identity.subject().into()),
        ("iss", []) => Some(identity.issuer().into()),
        _ => rest.iter().try_fold(identity.claims().get(first)?, |claim, name| claim.get(name)).cloned(),
    }
}

#[cfg(test)]
mod tests;

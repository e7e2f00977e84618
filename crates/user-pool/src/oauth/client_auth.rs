//! Authenticates the app client at the token endpoint: basic, post, or none with PKCE (RFC 6749 §2.3).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::clock::Timestamp;
use crate::directory::Directory;
use crate::directory::client::Client;
use crate::message::form::Form;
use crate::oauth::error::Error;
use crate::rate_limit::{Buckets, Limit, network};
use crate::secret::Secret;
use crate::shares::{Bounds, Found, Shares};

/// The same response for every cause, so that nobody learns which clients exist.
const INVALID_CLIENT: Error = Error::new("invalid_client", "the client is not known or did not prove itself");

/// Who has sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Our own rules, within this process. No request that came over a network is one of these.
    Ourselves,
    /// Whoever has this address.
    Network(IpAddr),
}

impl Caller {
    /// The address that attempts are counted by. Ours is one that nobody has.
    pub(crate) fn address(self) -> IpAddr {
        match self {
            Self::Ourselves => Ipv4Addr::UNSPECIFIED.into(),
            Self::Network(address) => address,
        }
    }
}

/// The client of the request. `check` verifies a secret.
///
/// # Errors
///
/// The error of `check`; `invalid_client`; `invalid_request` if the client authenticates in two ways (RFC 6749 §2.3).
pub(crate) fn authenticate(
    headers: &HeaderMap,
    form: &Form<'_>,
    directory: &Directory,
    caller: Caller,
    check: impl FnOnce(&Client, &Secret<String>) -> Result<bool, Error>,
) -> Result<Arc<Client>, Error> {
    let field = |name| form.one(name).map_err(|_| Error::request("a parameter came more than once"));
    let (in_form, secret_in_form) = (field("client_id")?, field("client_secret")?.filter(|secret| !secret.is_empty()));
    let basic = headers.get(header::AUTHORIZATION).map(|value| credentials(value).ok_or(INVALID_CLIENT)).transpose()?;
    if basic.is_some() && secret_in_form.is_some() {
        return Err(Error::request("the client proves itself in two ways"));
    }
    let (id, secret) = match (basic, in_form) {
        (Some((id, _)), Some(in_form)) if id != in_form => {
            return Err(Error::request("the client names itself in two ways"));
        }
        (Some((id, secret)), _) => (id, Some(secret)),
        (None, Some(id)) => (id.to_owned(), secret_in_form.map(|secret| Secret::new(secret.to_owned()))),
        (None, None) => return Err(INVALID_CLIENT),
    };
    let client = directory.client(&id).ok_or(INVALID_CLIENT)?;
    // It has no secret: without this, whoever finds one of its codes or refresh tokens could present it.
    if client.is_ours() && caller != Caller::Ourselves {
        return Err(INVALID_CLIENT);
    }
    // RFC 6749 §2.3.1: a client may leave an empty secret out, so an empty one is the same as none.
    let has_proved = match secret.filter(|secret| !secret.expose().is_empty()) {
        Some(secret) => check(client, &secret)?,
        None => client.is_public(),
    };
    if has_proved { Ok(Arc::clone(client)) } else { Err(INVALID_CLIENT) }
}

/// Number of wrong secrets that are answered with `invalid_client`. Further ones are answered with 429.
const WRONG: Limit = Limit { burst: 10, interval: Duration::from_secs(10) };
/// Number of wrong secrets after which no secret is verified any more, unless the address is known for the client.
const LOOKS: Limit = Limit { burst: 1000, interval: Duration::from_secs(1) };
/// How long an address counts as known for a client after it authenticated from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Maximum number of known addresses, per client and in total.
const KNOWN: Bounds = Bounds { per_owner: 256, total: 20_000 };
/// Maximum number of buckets of each limit.
const BUCKETS_MAX: usize = 100_000;

/// Limits guessing of client secrets, per client and network. The right client is not refused at other networks. At an address
/// where it has authenticated before, it is never refused.
#[derive(Debug)]
pub(crate) struct SecretLimits(Mutex<State>);

#[derive(Debug)]
struct State {
    wrong: Buckets,
    looks: Buckets,
    known: Shares<()>,
}

impl SecretLimits {
    /// Creates the limits without any attempts.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            wrong: Buckets::new(WRONG, BUCKETS_MAX),
            looks: Buckets::new(LOOKS, BUCKETS_MAX),
            known: Shares::new(KNOWN),
        }))
    }

    /// Whether `secret` is the secret of the client.
    ///
    /// # Errors
    ///
    /// Returns an error if too many secrets were wrong.
    pub(crate) fn check(
        &self,
        client: &Client,
        secret: &Secret<String>,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let who = (client.id(), network(from));
        let (wrong, looks) = (state.wrong.key(&who), state.looks.key(&who));
        let is_known = matches!(state.known.find(&client.id(), &who, now, now), Found::Here(()));
        let wait = state.looks.wait(looks, now);
        if !is_known && !wait.is_zero() {
            return Err(Error::too_many(wait));
        }
        if client.has_secret(secret) {
            state.wrong.forget(wrong);
            state.known.put(&client.id(), &who, (now, now + KNOWN_FOR), (), now);
            return Ok(true);
        }
        if wait.is_zero() {
            state.looks.take(looks, now);
        }
        let wait = state.wrong.wait(wrong, now);
        if !wait.is_zero() {
            return Err(Error::too_many(wait));
        }
        state.wrong.take(wrong, now);
        Ok(false)
    }
}

/// Reads `Basic` credentials. Both parts are form-encoded (RFC 6749 §2.3.1).
fn credentials(value: &http::HeaderValue) -> Option<(String, Secret<String>)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = Secret::new(String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (id, secret) = text.expose().split_once(':')?;
    let decoded = |text: &str| Some(percent_decode_str(&text.replace('+', " ")).decode_utf8().ok()?.into_owned());
    Some((decoded(id)?, Secret::new(decoded(secret)?)))
}

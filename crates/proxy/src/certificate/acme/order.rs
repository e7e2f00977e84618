//! One order: from the account to the certificate (RFC 8555 §7.4).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, Full};
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, BodyWrapper, BytesResponse, CertificateIdentifier, ChallengeType,
    HttpClient, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::backchannel::call::Backchannel as _;
use crate::backchannel::network::{self, Network};
use crate::certificate::acme::error::Error;
use crate::certificate::acme::issued::{Answered, Issued};
use crate::certificate::acme::schedule::Window;
use crate::certificate::acme::settings::{Challenge, Settings};
use crate::certificate::acme::store::Store;
use crate::clock::Timestamp;
use crate::crypto::provider;
use crate::message::WholeResponse;
use crate::secret::Secret;

/// Maximum time for the authority to verify a name, and to issue a certificate.
const POLL: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(60));

/// An account at the authority.
pub(super) struct Authority {
    account: Account,
}

impl Authority {
    /// Opens the account of the folder, or creates one.
    pub(super) async fn open(settings: &Settings, store: &Store) -> Result<Self, Error> {
        let calls = network::Settings {
            roots: settings.roots.clone(),
            // RFC 8555 §6.1 requires https. On this machine nobody listens in.
            allow_http_loopback: true,
            ..network::Settings::default()
        };
        let caller = Caller(Arc::new(Network::new(&calls).map_err(Error::Client)?));
        let builder = Account::builder_with_http(Box::new(caller));
        if let Some(text) = store.account()? {
            let credentials: AccountCredentials = serde_json::from_str(text.expose()).map_err(Error::Account)?;
            return Ok(Self { account: builder.from_credentials(credentials).await? });
        }
        let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, settings.directory.to_string(), None).await?;
        let text = serde_json::to_string(&credentials).map_err(Error::Account)?;
        store.keep_account(&Secret::new(text))?;
        tracing::info!(acme.directory = %settings.directory, "created an account at the certificate authority");
        Ok(Self { account })
    }

    /// When the authority suggests to renew. `None` if it does not say (RFC 9773).
    pub(super) async fn window(&self, leaf: &CertificateDer<'_>) -> Option<Window> {
        let id = CertificateIdentifier::try_from(leaf).ok()?;
        let (info, _) = self.account.renewal_info(&id).await.ok()?;
        let time = |at: i64| Timestamp::from_seconds(u64::try_from(at).unwrap_or_default());
        let window = info.suggested_window;
        Some(Window { start: time(window.start.unix_timestamp()), end: time(window.end.unix_timestamp()) })
    }

    /// Obtains a certificate for a name. Returns its key and its chain in PEM form.
    pub(super) async fn obtain(
        &self,
        name: &Arc<str>,
        challenge: Challenge,
        issued: &Arc<Issued>,
        replaces: Option<&CertificateDer<'_>>,
    ) -> Result<Secret<String>, Error> {
        let mut order = self.order(name, replaces).await?;
        let answered = answer(&mut order, name, challenge, issued).await?;
        match order.poll_ready(&POLL).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(why(&mut order).await),
            Err(instant_acme::Error::Api(_)) => return Err(why(&mut order).await),
            Err(error) => return Err(error.into()),
        }
        drop(answered);
        let key = KeyPair::generate()?;
        let mut request = CertificateParams::new([name.to_string()])?;
        request.distinguished_name = DistinguishedName::new();
        order.finalize_csr(request.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&POLL).await?;
        Ok(Secret::new(key.serialize_pem() + &chain))
    }

    /// Makes the order. An authority counts a renewal that it is told of apart from new certificates (RFC 9773 §5). One that
    /// does not take it as such is asked for a new certificate.
    async fn order(&self, name: &str, replaces: Option<&CertificateDer<'_>>) -> Result<Order, Error> {
        let identifiers = [Identifier::Dns(name.to_owned())];
        if let Some(id) = replaces.and_then(|leaf| CertificateIdentifier::try_from(leaf).ok())
            && let Ok(order) = self.account.new_order(&NewOrder::new(&identifiers).replaces(id)).await
        {
            return Ok(order);
        }
        Ok(self.account.new_order(&NewOrder::new(&identifiers)).await?)
    }
}

/// Prepares the answers to the challenges of an order, and tells the authority that they are there. They are given until the values are
/// dropped.
async fn answer(
    order: &mut Order,
    name: &Arc<str>,
    challenge: Challenge,
    issued: &Arc<Issued>,
) -> Result<Vec<Answered>, Error> {
    let mut answered = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let (kind, shown) = match challenge {
            Challenge::Http01 => (ChallengeType::Http01, "http-01"),
            Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let mut handle = authorization.challenge(kind).ok_or(Error::NoChallenge(shown))?;
        let key_authorization = handle.key_authorization();
        answered.push(match challenge {
            Challenge::Http01 => issued.answer_request(&handle.token, key_authorization.as_str()),
            Challenge::TlsAlpn01 => issued.answer_handshake(name, proof(name, key_authorization.digest().as_ref())?),
        });
        handle.set_ready().await?;
    }
    Ok(answered)
}

/// The certificate of a handshake for `acme-tls/1` (RFC 8737 §3): for the name, with the digest of the key authorization.
fn proof(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider::tls().key_provider.load_private_key(key);
    // Not `from_der`, which parses the certificate: it does not know the extension, and the extension is critical.
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key.map_err(|error| instant_acme::Error::Other(error.into()))?)))
}

/// What the authority says of a challenge that it could not verify.
async fn why(order: &mut Order) -> Error {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Error::NotVerified(problem.to_string());
        }
    }
    Error::NotVerified("it does not say why".to_owned())
}

/// Whether an error is explained as RFC 8555 §6.7 says. A server in front of the authority answers with pages.
fn is_problem(response: &WholeResponse) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/problem+json"))
}

/// The calls of the ACME library, over our own client: bounded in time and size, with the authorities of the settings.
struct Caller(Arc<Network>);

impl HttpClient for Caller {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let network = Arc::clone(&self.0);
        Box::pin(async move {
            let other = |error: Box<dyn std::error::Error + Send + Sync>| instant_acme::Error::Other(error);
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| other(error.into()))?.to_bytes();
            let response = network.call(http::Request::from_parts(parts, body)).await;
            let response = response.map_err(|error| other(error.into()))?;
            let status = response.status();
            if (status.is_client_error() || status.is_server_error()) && !is_problem(&response) {
                return Err(other(format!("it answered {status}").into()));
            }
            Ok(BytesResponse::from(response.map(Full::new)))
        })
    }
}

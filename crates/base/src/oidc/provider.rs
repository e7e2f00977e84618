//! The metadata and keys of one issuer. They are fetched at the first use, and kept if later fetches fail.

use std::sync::Arc;

use url::Url;

use crate::backchannel::call::Backchannel;
use crate::clock::Clock;
use crate::jose::compact::Compact;
use crate::jose::key_set::KeySet;
use crate::jose::verify::{self, Expected, Fault, Verified};
use crate::oidc::cached_document::{CachedDocument, IsOld};
use crate::oidc::caller::{Caller, Endpoint, Operation};
use crate::oidc::discovery::{self, Metadata};
use crate::oidc::error::{Error, Fetch, FetchFault};
use crate::oidc::introspection::table::Table;
use crate::oidc::settings::Settings;
use crate::telemetry::metrics::Registry;

/// One issuer. Nothing is fetched before the first sign-in, so the process can start while the provider is down (pitfalls 75).
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: Settings,
    pub(crate) caller: Caller,
    pub(crate) clock: Clock,
    metadata: CachedDocument<Metadata>,
    /// The metadata of the configuration, if it is complete.
    configured: Option<Arc<Metadata>>,
    keys: CachedDocument<KeySet>,
    /// What it said about access tokens.
    pub(crate) introspections: Arc<Table>,
}

impl Provider {
    /// Creates a provider from `settings`. Does not fetch anything yet.
    pub(crate) fn new(
        settings: Settings,
        backchannel: Arc<dyn Backchannel>,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        let caller = Caller::new(&settings.name, backchannel, settings.timeout, clock.clone(), registry);
        let configured = Metadata::from_settings(&settings).map(Arc::new);
        Self {
            settings,
            caller,
            clock,
            metadata: CachedDocument::new(),
            configured,
            keys: CachedDocument::with(KeySet::succeed),
            introspections: Table::new(),
        }
    }

    /// The metadata of the provider.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        if let Some(configured) = &self.configured {
            return Ok(Arc::clone(configured));
        }
        let found = self.metadata.get(&self.clock, || self.discover()).await.map_err(Error::ProviderUnavailable)?;
        Ok(found.value)
    }

    /// The metadata, if it is known without a call.
    pub(crate) fn is_discovered(&self) -> bool {
        self.configured.is_none()
    }

    /// The URL of the keys.
    ///
    /// # Errors
    ///
    /// [`Error::ProviderUnavailable`] if only the metadata says it, and the metadata is not known.
    pub(crate) async fn jwks_uri(&self) -> Result<Url, Error> {
        match &self.settings.endpoints.jwks {
            Some(url) => Ok(url.clone()),
            None => Ok(self.metadata().await?.jwks_uri.clone()),
        }
    }

    /// Verifies a token with the keys of the provider. If the key is unknown or the signature is wrong, fetches newer keys and tries
    /// once more (attacks D-18).
    ///
    /// # Errors
    ///
    /// [`Error::KeysUnavailable`] if the token could not be verified. Otherwise the inner result tells whether the token is valid.
    pub(crate) async fn verify(
        &self,
        jwks_uri: &Url,
        token: &Compact<'_>,
        expected: &Expected<'_>,
    ) -> Result<Result<Verified, Fault>, Error> {
        let found = self.keys.get(&self.clock, || self.fetch_keys(jwks_uri)).await.map_err(Error::KeysUnavailable)?;
        let result = verify::verify(token, &found.value, expected);
        // A provider may use a new key with an old key ID. Only the wrong signature shows that.
        let may_be_old = matches!(result, Err(Fault::NoKey | Fault::Signature));
        if !may_be_old || found.is_new {
            return Ok(result);
        }
        let newer = self.keys.newer_than(&found.value, &self.clock, || self.fetch_keys(jwks_uri)).await;
        let Some(keys) = newer.map_err(Error::KeysUnavailable)? else { return Ok(result) };
        let result = verify::verify(token, &keys, expected);
        if !matches!(result, Err(Fault::NoKey | Fault::Signature)) {
            self.keys.helped();
        }
        Ok(result)
    }

    /// The known keys. Fetches them if there are none, or if they are old.
    pub(crate) async fn keys(&self, jwks_uri: &Url) -> Result<Arc<KeySet>, Error> {
        let found = self.keys.get(&self.clock, || self.fetch_keys(jwks_uri)).await.map_err(Error::KeysUnavailable)?;
        Ok(found.value)
    }

    /// The keys, if they are known without a call, and whether they are old.
    pub(crate) fn known_keys(&self) -> Option<(Arc<KeySet>, IsOld)> {
        self.keys.known(&self.clock)
    }

    /// Fetches the metadata now, even if it is known. For `check --online`; no sign-in depends on it.
    pub(crate) async fn metadata_now(&self) -> Result<Arc<Metadata>, Fetch> {
        match &self.configured {
            Some(configured) => Ok(Arc::clone(configured)),
            None => self.discover().await.map(Arc::new),
        }
    }

    /// Fetches the keys now, even if they are known.
    pub(crate) async fn keys_now(&self, jwks_uri: &Url) -> Result<KeySet, Fetch> {
        self.fetch_keys(jwks_uri).await
    }

    async fn discover(&self) -> Result<Metadata, Fetch> {
        let (document, endpoint) = ("discovery", Endpoint::Discovery);
        let url = discovery::location(&self.settings).map_err(|cause| Fetch {
            document,
            url: self.settings.issuer.as_str().into(),
            cause,
        })?;
        let fetch = async {
            let document = self.caller.document(endpoint, &url).await?;
            Metadata::parse(&self.settings, &document)
        };
        self.fetched(Operation::Discovery, endpoint, document, &url, fetch.await)
    }

    async fn fetch_keys(&self, jwks_uri: &Url) -> Result<KeySet, Fetch> {
        let (document, endpoint) = ("the key set", Endpoint::Jwks);
        let fetch = async {
            let document = self.caller.document(endpoint, jwks_uri).await?;
            let keys = KeySet::parse(&document).map_err(|_| FetchFault::NotAKeySet)?;
            // A key set without keys verifies nothing, so the last valid set is kept.
            if keys.len() == 0 { Err(FetchFault::NoUsableKey(keys.skipped())) } else { Ok(keys) }
        };
        self.fetched(Operation::Jwks, endpoint, document, jwks_uri, fetch.await)
    }

    /// Counts a fetch, and adds the document to its error.
    fn fetched<T>(
        &self,
        operation: Operation,
        endpoint: Endpoint,
        document: &'static str,
        url: &Url,
        result: Result<T, FetchFault>,
    ) -> Result<T, Fetch> {
        let result = result.map_err(|cause| {
            let mut plain = url.clone();
            plain.set_query(None);
            Fetch { document, url: String::from(plain).into(), cause }
        });
        if let Err(error) = &result {
            self.caller.note(endpoint, error.to_string());
        }
        self.caller.counted(operation, result)
    }
}

//! Everything known about one issuer: its metadata and keys, fetched when first needed and kept when it is gone.

use std::sync::Arc;

use crate::backchannel::Backchannel;
use crate::clock::Clock;
use crate::jose::compact::Compact;
use crate::oidc::caller::{Caller, Operation};
use crate::oidc::discovery::{self, Metadata};
use crate::oidc::error::{Error, FetchError, IdTokenFault};
use crate::oidc::jwks::Keys;
use crate::oidc::remembered::Remembered;
use crate::oidc::settings::Settings;
use crate::telemetry::metrics::Registry;

/// One issuer. Nothing is fetched before the first login, so that we start while it is down (pitfalls 75).
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: Settings,
    pub(crate) caller: Caller,
    pub(crate) clock: Clock,
    metadata: Remembered<Metadata>,
    /// What the configuration says where it says all.
    configured: Option<Arc<Metadata>>,
    keys: Remembered<Keys>,
}

impl Provider {
    /// Knows what `settings` say and nothing else yet.
    pub(crate) fn new(
        settings: Settings,
        backchannel: Arc<dyn Backchannel>,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        let caller = Caller::new(&settings.name, backchannel, settings.timeout, registry);
        let configured = Metadata::from_settings(&settings).map(Arc::new);
        Self { settings, caller, clock, metadata: Remembered::new(), configured, keys: Remembered::new() }
    }

    /// Where the provider's endpoints are.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        if let Some(configured) = &self.configured {
            return Ok(Arc::clone(configured));
        }
        let found = self.metadata.get(&self.clock, || self.discover()).await.map_err(Error::ProviderUnavailable)?;
        Ok(found.value)
    }

    /// Runs `verify` with the provider's keys; once more with newer ones where it lacks a key (attacks D-18).
    pub(crate) async fn with_keys<T>(
        &self,
        metadata: &Metadata,
        text: &str,
        verify: impl Fn(Compact<'_>, &Keys) -> Result<T, IdTokenFault>,
    ) -> Result<Result<T, IdTokenFault>, Error> {
        let token = match Compact::parse(text) {
            Ok(token) => token,
            Err(error) => return Ok(Err(error.into())),
        };
        // A token without a key id cannot say that its key is new.
        let may_be_new = token.key_id.is_none();
        let found = self.keys.get(&self.clock, || self.fetch_keys(metadata)).await.map_err(Error::KeysUnavailable)?;
        let result = verify(token, &found.value);
        let lacks_key = match &result {
            Err(IdTokenFault::NoKey) => true,
            Err(IdTokenFault::Signature) => may_be_new,
            _ => false,
        };
        if !lacks_key || found.is_new {
            return Ok(result);
        }
        let newer = self.keys.newer_than(&found.value, &self.clock, || self.fetch_keys(metadata)).await;
        match (newer.map_err(Error::KeysUnavailable)?, Compact::parse(text)) {
            (Some(keys), Ok(token)) => Ok(verify(token, &keys)),
            _ => Ok(result),
        }
    }

    async fn discover(&self) -> Result<Metadata, FetchError> {
        let fetch = async {
            let document = self.caller.document(&discovery::location(&self.settings.issuer)?).await?;
            Metadata::parse(&self.settings, &document)
        };
        self.caller.counted(Operation::Discovery, fetch.await)
    }

    async fn fetch_keys(&self, metadata: &Metadata) -> Result<Keys, FetchError> {
        let fetch = async { Keys::parse(&self.caller.document(&metadata.jwks_uri).await?) };
        self.caller.counted(Operation::Jwks, fetch.await)
    }
}

//! The keys of one moment.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::jose::key_set::KeySet;
use crate::jose::signing_key::{Algorithm, PublicKey, SigningKey};
use crate::settings::Settings;

/// What signs, and what is published.
#[derive(Debug)]
pub struct KeyRing {
    /// One for each algorithm. The first signs access tokens.
    signing: Vec<SigningKey>,
    /// Keys that do not sign any more, or not yet.
    others: Vec<PublicKey>,
    set: KeySet,
}

impl KeyRing {
    /// The first of `signing` signs access tokens. There is at least one.
    pub(crate) fn new(signing: Vec<SigningKey>, others: Vec<PublicKey>) -> Self {
        let set = KeySet::of(signing.iter().map(SigningKey::public).chain(&others));
        Self { signing, others, set }
    }

    /// Those of files. `None` if the pool makes its keys itself.
    pub fn of_files(settings: &Settings) -> Option<Self> {
        let signing = settings.signing_key.iter().chain(&settings.rs256_signing_key).cloned().collect();
        settings.signing_key.as_ref().map(|_| Self::new(signing, settings.other_keys.clone()))
    }

    /// All keys that verify tokens of the pool, those that sign first. RS256 comes first, because it is the default of relying parties.
    pub(crate) fn published(&self) -> impl Iterator<Item = &PublicKey> {
        self.by_algorithm().map(SigningKey::public).chain(&self.others)
    }

    /// The signature algorithms of ID tokens, RS256 first.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.by_algorithm().map(SigningKey::algorithm)
    }

    /// What signs with `algorithm`. The configuration demands that there is one.
    pub(crate) fn of(&self, algorithm: Algorithm) -> &SigningKey {
        self.signing.iter().find(|key| key.algorithm() == algorithm).unwrap_or(&self.signing[0])
    }

    /// What signs access tokens.
    pub(crate) fn of_access_tokens(&self) -> &SigningKey {
        &self.signing[0]
    }

    /// What verifies.
    pub(crate) fn set(&self) -> &KeySet {
        &self.set
    }

    fn by_algorithm(&self) -> impl Iterator<Item = &SigningKey> {
        let is = |wanted: Algorithm| self.signing.iter().filter(move |key| key.algorithm() == wanted);
        is(Algorithm::Rs256).chain(is(Algorithm::Es256))
    }
}

/// The keys of now. A clone has the same ones.
#[derive(Clone, Debug)]
pub struct Keys(Arc<RwLock<Arc<KeyRing>>>);

impl Keys {
    pub fn new(ring: KeyRing) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ring))))
    }

    /// Those of this moment.
    pub(crate) fn now(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For whoever replaces them as long as somebody else has them.
    pub fn watch(&self) -> WatchedKeys {
        WatchedKeys(Arc::downgrade(&self.0))
    }
}

/// Keys that others use.
#[derive(Debug)]
pub struct WatchedKeys(Weak<RwLock<Arc<KeyRing>>>);

impl WatchedKeys {
    /// From now on, others. Does nothing if nobody uses them any more.
    pub(super) fn replace(&self, ring: KeyRing) {
        if let Some(keys) = self.0.upgrade() {
            *keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        }
    }

    /// Whether anybody uses them.
    pub(super) fn are_used(&self) -> bool {
        self.0.strong_count() > 0
    }
}

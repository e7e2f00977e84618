//! What handshakes and requests see of ACME: certificates, and answers to challenges in progress.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::sign::CertifiedKey;

use crate::certificate::chain::Certificate;

/// The certificates and challenges of the process. It outlives configurations.
///
/// Each map has at most one entry for each name of the settings. They are replaced as a whole, so that handshakes take no lock.
#[derive(Debug, Default)]
pub struct Issued {
    certificates: ArcSwap<BTreeMap<Arc<str>, Arc<Certificate>>>,
    /// By name.
    handshakes: ArcSwap<BTreeMap<Arc<str>, Arc<CertifiedKey>>>,
    /// By token.
    requests: ArcSwap<BTreeMap<Arc<str>, Arc<str>>>,
}

impl Issued {
    /// The certificate for exactly this name.
    pub(crate) fn certificate(&self, name: &str) -> Option<Arc<Certificate>> {
        self.certificates.load().get(name).cloned()
    }

    /// Shows this certificate from now on.
    pub(in crate::certificate) fn keep(&self, name: &Arc<str>, certificate: Certificate) {
        put(&self.certificates, name, &Arc::new(certificate));
    }

    /// What the authority is shown in a handshake for `acme-tls/1` (RFC 8737 §3).
    pub(crate) fn handshake(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.handshakes.load().get(name).cloned()
    }

    /// What the authority reads at `/.well-known/acme-challenge/TOKEN` (RFC 8555 §8.3).
    pub(crate) fn request(&self, token: &str) -> Option<Arc<str>> {
        self.requests.load().get(token).cloned()
    }

    /// Answers handshakes of the authority until the value is dropped.
    pub(super) fn answer_handshake(self: &Arc<Self>, name: &Arc<str>, key: Arc<CertifiedKey>) -> Answered {
        put(&self.handshakes, name, &key);
        Answered { issued: Arc::clone(self), key: Arc::clone(name) }
    }

    /// Answers requests of the authority until the value is dropped.
    pub(super) fn answer_request(self: &Arc<Self>, token: &str, answer: &str) -> Answered {
        let token = Arc::from(token);
        put(&self.requests, &token, &Arc::from(answer));
        Answered { issued: Arc::clone(self), key: token }
    }
}

/// A challenge in progress.
#[derive(Debug)]
pub(super) struct Answered {
    issued: Arc<Issued>,
    /// The name or the token. A token is never the name of a host: it has no dot (RFC 8555 §8.3).
    key: Arc<str>,
}

impl Drop for Answered {
    fn drop(&mut self) {
        take(&self.issued.handshakes, &self.key);
        take(&self.issued.requests, &self.key);
    }
}

fn put<V: Clone>(map: &ArcSwap<BTreeMap<Arc<str>, V>>, key: &Arc<str>, value: &V) {
    map.rcu(|old| {
        let mut new = BTreeMap::clone(old);
        new.insert(Arc::clone(key), value.clone());
        new
    });
}

fn take<V: Clone>(map: &ArcSwap<BTreeMap<Arc<str>, V>>, key: &str) {
    map.rcu(|old| {
        let mut new = BTreeMap::clone(old);
        new.remove(key);
        new
    });
}

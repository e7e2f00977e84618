//! What a listener asks of the certificates of its clients, and whether a certificate meets it.

use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};

use crate::certificate::client::facts::{self, Facts};
use crate::certificate::client::headers::{self, Fields, Names};
use crate::certificate::client::refusal::{self, AUTHORITIES_MAX, CHAIN_BYTES_MAX, OverLimit, SUBJECT_BYTES_MAX};
use crate::certificate::client::trust_store::{self, TrustStore, WithoutList};
use crate::clock::Timestamp;

/// What a listener asks of the certificates of its clients (ALB §10.8).
#[derive(Debug)]
pub struct Policy {
    pub mode: Mode,
    pub names: Names,
}

/// `passthrough` or `verify`.
#[derive(Debug)]
pub enum Mode {
    /// A client may show any certificate, or none. TLS has verified that the client has its key, and nothing else. The target gets it.
    Passthrough,
    /// A client must show a certificate of an authority of the store.
    Verify(Verify),
}

/// `verify`.
#[derive(Debug)]
pub struct Verify {
    pub store: Arc<TrustStore>,
    /// Whether a client's certificate is accepted after it has expired. Those of authorities are not.
    pub ignores_expiry: bool,
    /// Whether clients are told the names of the authorities in the handshake.
    pub advertises: bool,
}

/// The chain that a client has shown, and what its first certificate says.
#[derive(Debug)]
pub struct Presented {
    chain: Vec<CertificateDer<'static>>,
    facts: Facts,
}

/// A client's certificate as a policy sees it.
#[derive(Debug)]
pub struct Accepted {
    pub presented: Arc<Presented>,
    /// Whether an authority vouches for it.
    pub is_verified: bool,
    /// The last moment at which it is accepted.
    pub(crate) until: Timestamp,
    /// The headers for targets.
    pub(crate) fields: Fields,
}

impl Presented {
    /// `None` if the first certificate of the chain cannot be read.
    pub fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let facts = Facts::read(chain.first()?)?;
        Some(Self { chain: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(), facts })
    }

    /// What the first certificate says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Accepted {
    /// What the certificate says, if an authority vouches for it.
    pub(crate) fn verified(&self) -> Option<&Facts> {
        self.is_verified.then_some(&self.presented.facts)
    }
}

impl Policy {
    /// Whether a client without a certificate is refused.
    pub fn needs_certificate(&self) -> bool {
        matches!(self.mode, Mode::Verify(_))
    }

    /// A client's certificate that has passed [`check`](Self::check).
    pub(crate) fn accept(&self, presented: Arc<Presented>) -> Accepted {
        let Presented { chain, facts } = &*presented;
        let (is_verified, until, fields) = match &self.mode {
            Mode::Passthrough => (false, Timestamp::MAX, headers::of_chain(chain, &self.names)),
            Mode::Verify(verify) => {
                let until = if verify.ignores_expiry { Timestamp::MAX } else { end_of(facts.valid_to) };
                (true, until, headers::of_verified(&chain[0], facts, &self.names))
            }
        };
        Accepted { is_verified, until, fields, presented }
    }

    /// Decides about a connection that was opened under another policy. `Ok(None)`: the client has shown no certificate, and needs none.
    ///
    /// # Errors
    ///
    /// Why a client with this chain would be refused now.
    pub fn judge(
        &self,
        presented: Option<&Arc<Presented>>,
        now: Timestamp,
    ) -> Result<Option<Accepted>, CertificateError> {
        let Some(presented) = presented else {
            return match self.mode {
                Mode::Passthrough => Ok(None),
                Mode::Verify(_) => Err(CertificateError::ApplicationVerificationFailure),
            };
        };
        let (leaf, others) = presented.chain.split_first().ok_or(CertificateError::BadEncoding)?;
        self.check(leaf, others, now)?;
        Ok(Some(self.accept(Arc::clone(presented))))
    }

    /// Whether a chain is accepted. That the client has the key is for the caller to verify.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), CertificateError> {
        let bytes = leaf.len() + others.iter().map(|certificate| certificate.len()).sum::<usize>();
        if bytes > CHAIN_BYTES_MAX {
            return Err(OverLimit::Chain.into());
        }
        let facts = Facts::read(leaf).ok_or(CertificateError::BadEncoding)?;
        match &self.mode {
            Mode::Passthrough => Ok(()),
            Mode::Verify(_) if facts.subject.len().max(facts.issuer.len()) > SUBJECT_BYTES_MAX => {
                Err(OverLimit::Subject.into())
            }
            Mode::Verify(verify) => verify.check(leaf, others, &facts, now).map_err(refusal::error),
        }
    }
}

/// The first moment after a second in which something is valid.
fn end_of(second: Timestamp) -> Timestamp {
    second + Duration::from_millis(999)
}

fn unix(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.seconds()))
}

impl Verify {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), webpki::Error> {
        // The last moment at which an expired certificate was valid. What is above it must be valid now: see `check_path`.
        let at = if self.ignores_expiry { now.min(facts.valid_to) } else { now };
        let lists: Vec<&CertRevocationList<'_>> = self.store.lists.iter().map(|list| &list.list).collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(match self.store.without_list {
                    WithoutList::Refuse => UnknownStatusPolicy::Deny,
                    WithoutList::Accept => UnknownStatusPolicy::Allow,
                })
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let others: Vec<CertificateDer<'_>> = others.iter().map(|one| CertificateDer::from(&**one)).collect();
        let leaf = CertificateDer::from(&**leaf);
        EndEntityCert::try_from(&leaf)?
            .verify_for_usage(
                trust_store::algorithms(),
                &self.store.anchors,
                &others,
                unix(at),
                KeyUsage::client_auth(),
                revocation,
                Some(&|path| self.check_path(path, now)),
            )
            .map(drop)
    }

    /// What webpki does not check: how long the path is, whether its authorities are valid now, also the one in the store, and whether their
    /// lists are.
    fn check_path(&self, path: &VerifiedPath<'_>, now: Timestamp) -> Result<(), webpki::Error> {
        if path.intermediate_certificates().count() + 1 > AUTHORITIES_MAX {
            return Err(webpki::Error::MaximumPathDepthExceeded);
        }
        let store = &*self.store;
        let place = store.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = place.map(|place| &store.authorities[place]).ok_or(webpki::Error::UnknownIssuer)?;
        let intermediates = path.intermediate_certificates().map(|certificate| {
            let der = certificate.der();
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| webpki::Error::BadDer)?;
            Ok(facts::validity(&parsed))
        });
        for validity in intermediates.chain([Ok((anchor.valid_from, anchor.valid_to))]) {
            let (from, to) = validity?;
            if now < from {
                return Err(webpki::Error::CertNotValidYet { time: unix(now), not_before: unix(from) });
            }
            if now > end_of(to) {
                return Err(webpki::Error::CertExpired { time: unix(now), not_after: unix(to) });
            }
        }
        let issuers = path.intermediate_certificates().map(webpki::Cert::issuer).chain([path.end_entity().issuer()]);
        for issuer in issuers {
            let outdated = store.lists.iter().find(|list| list.is_for(issuer) && list.next_update <= now);
            if let Some(list) = outdated {
                return Err(webpki::Error::CrlExpired { time: unix(now), next_update: unix(list.next_update) });
            }
        }
        Ok(())
    }
}

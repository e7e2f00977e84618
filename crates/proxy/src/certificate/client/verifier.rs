//! Applies a listener's policy in the TLS handshake.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::client::facts::Facts;
use crate::certificate::client::policy::{Mode, Policy, Verify};
use crate::certificate::client::refusal::{self, Refused};
use crate::clock::Clock;
use crate::crypto::provider;

/// The verifier of one listener.
#[derive(Debug)]
pub(crate) struct Verifier {
    policy: Arc<Policy>,
    /// The names of the authorities that clients are told.
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
    clock: Clock,
}

/// Characters of a subject in the log.
const SUBJECT_LOGGED_MAX: usize = 200;

impl Verifier {
    /// A verifier for listeners with this policy.
    pub(crate) fn new(policy: Arc<Policy>, clock: Clock) -> Self {
        let hints = match &policy.mode {
            Mode::Verify(Verify { store, advertises: true, .. }) => store
                .authorities
                .iter()
                .map(|authority| DistinguishedName::from(authority.subject().to_vec()))
                .collect(),
            Mode::Verify(_) | Mode::Passthrough => Vec::new(),
        };
        Self { policy, hints, algorithms: provider::tls().signature_verification_algorithms, clock }
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.policy.needs_certificate()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let checked = self.policy.check(end_entity, intermediates, self.clock.now());
        checked.map(|()| ClientCertVerified::assertion()).map_err(|error| {
            refusal::keep(|| {
                let facts = Facts::read(end_entity);
                let subject = facts.as_ref().map(|facts| facts.subject.chars().take(SUBJECT_LOGGED_MAX).collect());
                Refused {
                    subject,
                    fingerprint: facts.map(|facts| facts.fingerprint.to_string()),
                    error: error.to_string(),
                }
            });
            rustls::Error::InvalidCertificate(error)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

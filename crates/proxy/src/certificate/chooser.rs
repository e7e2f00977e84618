//! Which certificate a client is shown: one of the files, or one that ACME has obtained.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::acme::issued::Issued;
use crate::certificate::table::Certificates;
use crate::clock::Clock;

/// The protocol of a handshake by which an authority verifies a name (RFC 8737 §6.2).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Shows each client the certificate that is chosen for it.
#[derive(Debug)]
pub(crate) struct Chooser {
    /// The certificates of files.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// The names whose certificates are obtained by ACME. The first is for clients that name no server.
    pub(crate) auto: Arc<[Arc<str>]>,
    pub(crate) issued: Arc<Issued>,
    pub(crate) clock: Clock,
}

impl Chooser {
    /// A file with exactly this name is before ACME, and ACME before a file with a wildcard.
    fn choose(&self, name: Option<&str>, offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let is_auto = |name: &&str| self.auto.iter().any(|auto| **auto == **name);
        let is_in_a_file = |name: &str| self.certificates.as_ref().is_some_and(|table| table.has_exactly(name));
        let now = self.clock.now();
        if let Some(name) = name.filter(is_auto).filter(|name| !is_in_a_file(name)) {
            let certificate = self.issued.certificate(name);
            if certificate.is_none() {
                tracing::warn!(
                    tls.server_name = name,
                    "a handshake is refused: there is no certificate for the name yet"
                );
            }
            return certificate.map(|certificate| Arc::clone(certificate.shown(now)));
        }
        match &self.certificates {
            Some(table) => Some(Arc::clone(table.choose(name, offered).shown(now))),
            None => Some(Arc::clone(self.issued.certificate(self.auto.first()?)?.shown(now))),
        }
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: the authority offers this protocol and no other.
        if hello.alpn().is_some_and(|protocols| protocols.eq([ACME_TLS])) {
            return self.issued.handshake(hello.server_name()?);
        }
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::SignatureScheme::ECDSA_NISTP256_SHA256;

    use super::*;
    use crate::certificate::chain::Certificate;
    use crate::clock::Timestamp;
    use crate::secret::Secret;

    fn certificate(name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let chain = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        Certificate::from_pem(&chain, &Secret::new(key.serialize_pem())).unwrap()
    }

    fn shown(certificate: &Certificate) -> Arc<CertifiedKey> {
        Arc::clone(certificate.shown(Timestamp::from_seconds(0)))
    }

    fn chooser(files: &[&Certificate], auto: &[&str], issued: &Arc<Issued>) -> Chooser {
        let mut files = files.iter().copied().cloned();
        let certificates = files.next().map(|first| Arc::new(Certificates::new(first, files.collect())));
        let auto = auto.iter().map(|name| Arc::from(*name)).collect();
        Chooser { certificates, auto, issued: Arc::clone(issued), clock: Clock::system() }
    }

    #[track_caller]
    fn check(chooser: &Chooser, name: Option<&str>, expected: Option<&Arc<CertifiedKey>>) {
        let chosen = chooser.choose(name, &[ECDSA_NISTP256_SHA256]);
        assert_eq!(chosen.map(|key| key.cert.clone()), expected.map(|key| key.cert.clone()), "{name:?}");
    }

    #[test]
    fn a_file_for_the_name_is_before_acme_and_acme_before_a_wildcard() {
        let issued = Arc::default();
        let (exact, wildcard) = (certificate("a.app.test"), certificate("*.app.test"));
        let chooser = chooser(&[&exact, &wildcard], &["a.app.test", "b.app.test"], &issued);
        let (exact, wildcard) = (shown(&exact), shown(&wildcard));
        check(&chooser, Some("a.app.test"), Some(&exact));
        check(&chooser, Some("c.app.test"), Some(&wildcard));
        check(&chooser, Some("unknown.test"), Some(&exact));
        check(&chooser, None, Some(&exact));
        // Not the wildcard: the handshake would succeed until the certificate is there, and nobody would notice that it never is.
        check(&chooser, Some("b.app.test"), None);
        let obtained = certificate("b.app.test");
        issued.keep(&Arc::from("b.app.test"), obtained.clone());
        check(&chooser, Some("b.app.test"), Some(&shown(&obtained)));
    }

    #[test]
    fn without_files_the_first_name_is_for_everybody_else() {
        let issued = Arc::default();
        let chooser = chooser(&[], &["a.test", "b.test"], &issued);
        check(&chooser, None, None);
        let (a, b) = (certificate("a.test"), certificate("b.test"));
        issued.keep(&Arc::from("b.test"), b.clone());
        check(&chooser, None, None);
        check(&chooser, Some("b.test"), Some(&shown(&b)));
        issued.keep(&Arc::from("a.test"), a.clone());
        check(&chooser, None, Some(&shown(&a)));
        check(&chooser, Some("unknown.test"), Some(&shown(&a)));
    }
}

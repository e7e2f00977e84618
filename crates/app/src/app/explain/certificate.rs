//! For `check --request` and `test`: what a listener makes of the certificate of a client, by the code that decides in the TLS handshake.
//!
//! That the client has the key of the certificate is supposed, as the claims of a user are.

use std::sync::Arc;

use rustls::CertificateError;

use crate::app::explain::outcome::Outcome;
use crate::app::explain::probe::Probe;
use crate::certificate::client::policy::{Policy, Presented};
use crate::certificate::client::refusal;
use crate::clock::Timestamp;
use crate::exchange::client::{Client, InForce};

/// The client of a connection, and what there is to say about its certificate.
///
/// # Errors
///
/// The outcome, if the listener refuses the handshake.
pub(super) fn client(
    policy: Option<&Arc<Policy>>,
    probe: &Probe,
    now: Timestamp,
) -> Result<(Client, String), Box<Outcome>> {
    let certificates = &*probe.certificates;
    let Some(policy) = policy else {
        let note = "  note: this listener asks clients for no certificate\n";
        return Ok((Client::default(), if certificates.is_empty() { String::new() } else { note.to_owned() }));
    };
    let presented = || Presented::new(certificates);
    match presented().map(Arc::new) {
        None if !certificates.is_empty() => Err(refused(&CertificateError::BadEncoding)),
        None if policy.needs_certificate() => {
            let why = "the client shows no certificate, and the listener demands one".to_owned();
            Err(Box::new(Outcome::NoConnection { cause: refusal::NONE, why }))
        }
        shown => {
            let accepted = policy.judge(shown.as_ref(), now).map_err(|error| refused(&error))?;
            let note = accepted.map_or_else(String::new, |accepted| {
                let facts = accepted.presented.facts();
                let verdict = if accepted.is_verified { "accepted" } else { "passed on, without being verified" };
                format!("  client certificate `{}` of `{}`: {verdict}\n", facts.subject, facts.issuer)
            });
            Ok((Client::new(Some(policy), presented(), InForce::default()), note))
        }
    }
}

fn refused(error: &CertificateError) -> Box<Outcome> {
    let why = format!("the client's certificate is refused: {error}");
    Box::new(Outcome::NoConnection { cause: refusal::of(error), why })
}

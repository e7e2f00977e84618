//! Session tickets: what a client shows to resume a TLS session without a certificate (RFC 8446 §4.6.1, RFC 5077).

use std::sync::Arc;
use std::time::Duration;

use rustls::server::ProducesTickets;

use crate::clock::{Clock, Timestamp};
use crate::crypto::aead::{self, Key};

/// Maximum age of a ticket. That of the tickets which rustls makes itself.
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// How far the clocks of two replicas may be apart.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// Associated data of the encryption: a value that was sealed with the same key for another purpose is no ticket.
const PURPOSE: &[u8] = b"tls ticket";

/// Tickets with random keys that only this process knows. It lives as long as the process, so that a new configuration
/// does not end what clients may resume.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTickets(pub(super) Arc<dyn ProducesTickets>);

impl ProcessTickets {
    /// Makes the first key. A new key replaces it every six hours; tickets of the previous one are still accepted.
    pub(crate) fn new() -> Self {
        Self(rustls::crypto::aws_lc_rs::Ticketer::new().expect("tickets need only randomness"))
    }
}

/// Tickets with keys from files. The first key encrypts, all decrypt. All who have the files resume each other's sessions.
#[derive(Debug)]
pub(super) struct KeyedTickets {
    pub(super) keys: Arc<[Key]>,
    pub(super) clock: Clock,
}

impl ProducesTickets for KeyedTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        AGE_MAX.as_secs().try_into().expect("12 hours")
    }

    /// The plaintext is the time, in milliseconds since 1970 (8 bytes, big-endian), and what rustls wants to remember.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let made_at = self.clock.now().millis().to_be_bytes();
        Some(self.keys.first()?.seal(&[&made_at, plain].concat(), PURPOSE))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = aead::open(&self.keys, cipher, PURPOSE).ok()?;
        let (made_at, plain) = opened.split_first_chunk()?;
        let made_at = Timestamp::from_millis(u64::from_be_bytes(*made_at));
        let now = self.clock.now();
        let is_fresh = now.since(made_at) < AGE_MAX && made_at <= now + SKEW_MAX;
        is_fresh.then(|| plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn tickets(keys: &[u8], clock: &Clock) -> KeyedTickets {
        let keys = keys.iter().map(|byte| Key::new(&Secret::new([*byte; 32]))).collect();
        KeyedTickets { keys, clock: clock.clone() }
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let clock = Clock::system();
        let old = tickets(&[1], &clock).encrypt(b"a session").expect("a ticket");
        assert_eq!(tickets(&[1], &clock).decrypt(&old).as_deref(), Some(&b"a session"[..]));
        assert_eq!(tickets(&[2, 1], &clock).decrypt(&old).as_deref(), Some(&b"a session"[..]));
        assert_eq!(tickets(&[2], &clock).decrypt(&old), None);
        let new = tickets(&[2, 1], &clock).encrypt(b"a session").expect("a ticket");
        assert_eq!(tickets(&[1], &clock).decrypt(&new), None);
        assert_eq!(tickets(&[2], &clock).decrypt(&new).as_deref(), Some(&b"a session"[..]));
    }

    #[test]
    fn a_ticket_has_an_end_and_is_not_from_the_future() {
        let (clock, hand) = Clock::manual(Timestamp::from_seconds(1_795_507_200));
        let tickets = tickets(&[1], &clock);
        let ticket = tickets.encrypt(b"a session").expect("a ticket");
        let is_accepted = || tickets.decrypt(&ticket).is_some();
        hand.rewind(SKEW_MAX);
        assert!(is_accepted());
        hand.rewind(Duration::from_millis(1));
        assert!(!is_accepted());
        hand.advance(SKEW_MAX + AGE_MAX);
        assert!(is_accepted());
        hand.advance(Duration::from_millis(1));
        assert!(!is_accepted());
    }

    #[test]
    fn a_changed_ticket_and_a_value_for_another_purpose_are_refused() {
        let clock = Clock::system();
        let tickets = tickets(&[1], &clock);
        let ticket = tickets.encrypt(b"a session").expect("a ticket");
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "byte {at}");
        }
        let mut value = clock.now().millis().to_be_bytes().to_vec();
        value.extend_from_slice(b"a session");
        assert_eq!(tickets.decrypt(&tickets.keys[0].seal(&value, b"a session cookie")), None);
        assert_eq!(tickets.decrypt(&tickets.keys[0].seal(b"short", PURPOSE)), None);
        assert_eq!(tickets.decrypt(b""), None);
    }
}

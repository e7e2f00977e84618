//! The task that obtains and renews certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::certificate::acme::error::Error;
use crate::certificate::acme::issued::Issued;
use crate::certificate::acme::order::Authority;
use crate::certificate::acme::schedule::{self, Lifetime, Window};
use crate::certificate::acme::settings::Settings;
use crate::certificate::acme::store::Store;
use crate::certificate::chain::Certificate;
use crate::clock::{Clock, Timestamp};
use crate::crypto::octets;
use crate::telemetry::metrics::{Counter, Registry};

/// Maximum time of one attempt. Each call and each wait inside has a shorter one.
const ATTEMPT_MAX: Duration = Duration::from_secs(300);

/// Maximum length of what is said of a failure, in characters.
const TROUBLE_MAX: usize = 500;

/// How often the task looks at the calendar. The machine may have slept, and its time may have been corrected.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the authority is asked when to renew (RFC 9773 §4.3.2 suggests six hours). For a short-lived certificate it is a twelfth of the
/// lifetime. A new certificate is not asked about before that, so that an authority whose windows are always over does not have the
/// process renew without a pause.
const ASK_EVERY: Duration = Duration::from_secs(6 * 3600);

/// Obtains the certificates of the settings, and renews them. It lives as long as the process, and takes the settings of each
/// configuration.
#[derive(Debug)]
pub struct Renewal {
    current: ArcSwapOption<Current>,
    /// There are other settings.
    adopted: Notify,
    issued: Arc<Issued>,
    clock: Clock,
    metrics: Metrics,
    /// One entry for each name of the settings. The lock is held for moments, by the task and by `/readyz`.
    states: Mutex<BTreeMap<Arc<str>, State>>,
}

/// The settings that are in force.
#[derive(Debug)]
struct Current {
    settings: Settings,
    store: Store,
}

/// What is known of a name.
#[derive(Clone, Debug)]
struct State {
    /// When to ask for a certificate.
    due: Timestamp,
    /// When to ask the authority for its window.
    ask_at: Timestamp,
    lifetime: Option<Lifetime>,
    /// What the authority last suggested for the certificate.
    window: Option<Window>,
    failures: u32,
    /// Why the last attempt failed.
    trouble: Option<String>,
}

#[derive(Debug)]
struct Metrics {
    registry: Registry,
    obtained: Counter,
    failed: Counter,
    expiries: Mutex<BTreeMap<Arc<str>, Counter>>,
}

impl Renewal {
    /// Without settings, nothing is obtained.
    pub fn new(issued: &Arc<Issued>, clock: &Clock, registry: &Registry) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            adopted: Notify::new(),
            issued: Arc::clone(issued),
            clock: clock.clone(),
            metrics: Metrics::new(registry),
            states: Mutex::default(),
        }
    }

    /// Obtains the certificates of these settings from now on. Reads those that the folder has: they are shown at once, whether or
    /// not the authority can be reached. Names that are in no settings any more keep what they have, and nothing is renewed for them.
    pub fn adopt(&self, settings: Option<Settings>) {
        let current = settings.map(|settings| {
            Arc::new(Current { store: Store::new(&settings.folder, settings.directory.as_str()), settings })
        });
        let old = self.current.load();
        // Else each reload would be an attempt, also while the wait after a failure lasts.
        let is_kept = old.iter().zip(&current).any(|(old, new)| old.settings.is_same_place(&new.settings));
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *states);
        if let Some(current) = &current {
            for name in &current.settings.names {
                let state = known.remove(name).filter(|_| is_kept);
                states.insert(Arc::clone(name), state.unwrap_or_else(|| self.found(&current.store, name)));
            }
        }
        drop(states);
        self.current.store(current);
        self.adopted.notify_one();
    }

    /// The state of a name whose certificate may be in the folder.
    fn found(&self, store: &Store, name: &Arc<str>) -> State {
        let now = self.clock.now();
        match store.certificate(name).and_then(|found| found.map(|found| fitting(found, name)).transpose()) {
            Ok(Some(certificate)) => self.show(name, certificate),
            Ok(None) => State { due: now, ask_at: now, lifetime: None, window: None, failures: 0, trouble: None },
            Err(error) => {
                tracing::error!(tls.server_name = %name, error = %error, "cannot use the certificate of the folder; asking for a new one");
                State {
                    due: now,
                    ask_at: now,
                    lifetime: None,
                    window: None,
                    failures: 0,
                    trouble: Some(error.to_string()),
                }
            }
        }
    }

    /// Shows a certificate to clients, and plans its renewal.
    fn show(&self, name: &Arc<str>, certificate: Certificate) -> State {
        let lifetime = Lifetime { from: certificate.facts.valid_from, to: certificate.facts.expires_at };
        self.metrics.expiry(name, lifetime.to);
        self.issued.keep(name, certificate);
        let due = schedule::renew_at(lifetime, None, dice());
        let ask_at = self.clock.now() + ask_every(lifetime);
        State { due, ask_at, lifetime: Some(lifetime), window: None, failures: 0, trouble: None }
    }

    /// Runs until the process ends. Dropping the future is safe: what is written to the folder is written as a whole.
    pub async fn run(&self) {
        loop {
            // One account at a time, of the settings in force.
            let mut authority = None;
            let current = self.current.load_full();
            let is_current = || self.current.load().as_ref().map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr);
            while is_current() {
                let Some(current) = &current else {
                    // Cancel-safe, and a notification before this is not lost.
                    self.adopted.notified().await;
                    break;
                };
                for name in &current.settings.names {
                    self.attend(current, name, &mut authority).await;
                }
                // Both are cancel-safe: nothing is lost when one of them is dropped.
                tokio::select! {
                    () = self.adopted.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        }
    }

    /// Does what is due for a name.
    async fn attend(&self, current: &Current, name: &Arc<str>, authority: &mut Option<Authority>) {
        let Some(mut state) = self.state(name) else { return };
        let now = self.clock.now();
        if state.due <= now {
            let obtained = tokio::time::timeout(ATTEMPT_MAX, self.obtain(current, name, authority)).await;
            state = match obtained.unwrap_or(Err(Error::Timeout)) {
                Ok(certificate) => self.renewed(name, certificate),
                Err(error) => {
                    // The directory is read again. It may name other addresses now.
                    *authority = None;
                    if error.is_unknown_account() {
                        forget_account(&current.store);
                    }
                    self.refused(name, state, &error)
                }
            };
            self.set(name, state);
        } else if let Some(lifetime) = state.lifetime.filter(|_| state.ask_at <= now) {
            state.ask_at = now + ask_every(lifetime);
            let window = self.window(current, name, authority).await;
            // RFC 9773 §4.2: a time is chosen once for each window.
            if window.is_some() && window != state.window {
                state.window = window;
                state.due = schedule::renew_at(lifetime, window, dice());
            }
            self.set(name, state);
        }
    }

    async fn obtain(
        &self,
        current: &Current,
        name: &Arc<str>,
        authority: &mut Option<Authority>,
    ) -> Result<Certificate, Error> {
        let authority = open(current, authority).await?;
        let old = self.issued.certificate(name);
        let old = old.as_ref().and_then(|old| old.leaf());
        let text = authority.obtain(name, current.settings.challenge, &self.issued, old).await?;
        // Before it is kept: a certificate that does not fit never replaces one that does.
        let certificate = fitting(Certificate::from_pem(text.expose(), &text)?, name)?;
        current.store.keep_certificate(name, &text)?;
        Ok(certificate)
    }

    /// When the authority suggests to renew.
    async fn window(&self, current: &Current, name: &str, authority: &mut Option<Authority>) -> Option<Window> {
        let certificate = self.issued.certificate(name)?;
        let ask = async { open(current, authority).await.ok()?.window(certificate.leaf()?).await };
        tokio::time::timeout(ATTEMPT_MAX, ask).await.ok().flatten()
    }

    fn renewed(&self, name: &Arc<str>, certificate: Certificate) -> State {
        self.metrics.obtained.increment();
        let state = self.show(name, certificate);
        let expires_at = state.lifetime.map(|lifetime| lifetime.to.to_text()).unwrap_or_default();
        tracing::info!(tls.server_name = %name, expires_at, "obtained a certificate");
        state
    }

    fn refused(&self, name: &Arc<str>, state: State, error: &Error) -> State {
        self.metrics.failed.increment();
        let failures = state.failures.saturating_add(1);
        let wait = schedule::wait_after(failures, dice());
        let trouble = in_short(error);
        let retry_s = wait.as_secs();
        match state.lifetime {
            Some(lifetime) => {
                let expires_at = lifetime.to.to_text();
                tracing::warn!(tls.server_name = %name, error = trouble, expires_at, retry_s, "cannot renew a certificate; the old one is still in use");
            }
            None => {
                tracing::error!(tls.server_name = %name, error = trouble, retry_s, "cannot obtain a certificate; handshakes for the name are refused");
            }
        }
        State { due: self.clock.now() + wait, failures, trouble: Some(trouble), ..state }
    }

    /// What `/readyz` says, one line for each name with a trouble.
    pub fn troubles(&self) -> Vec<String> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = |(name, state): (&Arc<str>, &State)| match (&state.lifetime, &state.trouble) {
            (None, None) => Some(format!("certificate for {name}: not there yet")),
            (None, Some(trouble)) => Some(format!("certificate for {name}: not there: {trouble}")),
            (Some(lifetime), Some(trouble)) => {
                Some(format!("certificate for {name}: not renewed, expires {}: {trouble}", lifetime.to.to_text()))
            }
            (Some(_), None) => None,
        };
        states.iter().filter_map(trouble).collect()
    }

    fn state(&self, name: &str) -> Option<State> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A name that is in no settings any more gets no state.
    fn set(&self, name: &Arc<str>, state: State) {
        if let Some(known) = self.states.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            *known = state;
        }
    }
}

impl Metrics {
    fn new(registry: &Registry) -> Self {
        let result = |result: &str| {
            registry.counter(
                "vestibule_acme_orders_total",
                "Attempts to obtain a certificate by ACME.",
                vec![("result", result.to_owned())],
            )
        };
        Self {
            obtained: result("obtained"),
            failed: result("failed"),
            expiries: Mutex::default(),
            registry: registry.clone(),
        }
    }

    /// Says when the certificate of a name expires.
    fn expiry(&self, name: &Arc<str>, at: Timestamp) {
        let mut expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        let gauge = expiries.entry(Arc::clone(name)).or_insert_with(|| {
            self.registry.reading(
                "vestibule_acme_certificate_expiry_timestamp_seconds",
                "When a certificate that was obtained by ACME expires, in seconds since 1970.",
                vec![("server_name", name.to_string())],
            )
        });
        gauge.set(at.seconds());
    }
}

fn ask_every(lifetime: Lifetime) -> Duration {
    ASK_EVERY.min(lifetime.to.since(lifetime.from) / 12)
}

/// The account, which is opened once.
async fn open<'a>(current: &Current, authority: &'a mut Option<Authority>) -> Result<&'a Authority, Error> {
    match authority {
        Some(authority) => Ok(authority),
        None => Ok(authority.insert(Authority::open(&current.settings, &current.store).await?)),
    }
}

/// The authority does not know the account any more. The next attempt creates another one.
fn forget_account(store: &Store) {
    match store.forget_account() {
        Ok(()) => tracing::warn!("the certificate authority does not know the account; creating another one"),
        Err(error) => {
            tracing::error!(error = %error, "cannot remove the account that the certificate authority does not know");
        }
    }
}

/// An error in one line of bounded length: the authority chooses its text.
fn in_short(error: &Error) -> String {
    error.to_string().chars().take(TROUBLE_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The certificate, if it is for the name.
fn fitting(certificate: Certificate, name: &str) -> Result<Certificate, Error> {
    if certificate.facts.names.iter().any(|covered| covered == name) { Ok(certificate) } else { Err(Error::OtherName) }
}

/// A random number from 0 to 1.
fn dice() -> f64 {
    f64::from(u32::from_be_bytes(octets::random())) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;

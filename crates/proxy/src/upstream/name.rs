//! A DNS name of targets, looked up again and again on the control runtime.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::drain::Control;

/// A name and the addresses that it had last. Groups and configurations with the same name share it.
#[derive(Debug)]
pub(crate) struct Name {
    /// Sorted. Empty until the first lookup has succeeded, and never again.
    addresses: watch::Sender<Arc<[IpAddr]>>,
}

/// Looks names up.
#[derive(Clone)]
pub struct Resolver {
    lookup: Lookup,
    control: Control,
}

type Lookup = Arc<dyn Fn(Arc<str>) -> Answer + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Maximum number of addresses of one name. More would only make more targets than anyone runs behind one name.
const ADDRESSES_MAX: usize = 256;
/// How long to wait after a lookup that failed, if `resolve_every` is not shorter.
const RETRY_WAIT: Duration = Duration::from_secs(5);

impl Resolver {
    /// The resolver of the system. It does not tell for how long an answer is valid, so names are looked up at fixed times.
    pub fn system(control: Control) -> Self {
        let lookup = |host: Arc<str>| -> Answer {
            Box::pin(async move {
                let found = tokio::net::lookup_host((&*host, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        };
        Self { lookup: Arc::new(lookup), control }
    }

    /// A resolver that the test answers for. The control runtime is the runtime of the test.
    #[cfg(test)]
    pub(super) fn played(answer: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        let (_, draining) = crate::drain::channel();
        let control = Control::new(tokio::runtime::Handle::current(), draining.spawner());
        let lookup = move |host: Arc<str>| -> Answer { Box::pin(std::future::ready(answer(&host))) };
        Self { lookup: Arc::new(lookup), control }
    }

    /// Runs `work` on the control runtime.
    pub(super) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.control.start_detached(work);
    }

    /// Looks `host` up now and whenever `every` has passed, until the returned value is dropped.
    pub(super) fn watch(&self, host: Arc<str>, every: Duration) -> Arc<Name> {
        let name = Arc::new(Name { addresses: watch::Sender::new(Arc::default()) });
        let (weak, lookup) = (Arc::downgrade(&name), Arc::clone(&self.lookup));
        self.start(async move { keep_looking(&weak, &host, every, &lookup).await });
        name
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Name {
    /// The addresses of the last lookup that succeeded. Empty if none has.
    pub(super) fn addresses(&self) -> Arc<[IpAddr]> {
        Arc::clone(&self.addresses.borrow())
    }

    /// Tells of changes of the addresses.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<[IpAddr]>> {
        self.addresses.subscribe()
    }
}

/// One lookup at a time for each name: a resolver that does not answer holds one thread for it, not one more each time.
async fn keep_looking(name: &Weak<Name>, host: &Arc<str>, every: Duration, lookup: &Lookup) {
    let mut fails = false;
    loop {
        let found = match lookup(Arc::clone(host)).await {
            Ok(found) if found.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            found => found,
        };
        let Some(name) = name.upgrade() else { return };
        let failed = found.is_err();
        match found {
            Ok(found) => {
                name.replace(found, host);
                if fails {
                    tracing::info!(target.name = %host, "the name of the target can be resolved again");
                }
            }
            Err(error) if !fails => {
                let kept = name.addresses.borrow().len();
                tracing::warn!(
                    target.name = %host, error = %error, addresses_kept = kept,
                    "the name of the target cannot be resolved; its last addresses are kept"
                );
            }
            Err(_) => {}
        }
        fails = failed;
        // While sleeping, this task does not keep the name.
        drop(name);
        tokio::time::sleep(if fails { every.min(RETRY_WAIT) } else { every }).await;
    }
}

impl Name {
    /// Takes over the addresses of a lookup. The order of an answer means nothing: many resolvers rotate it.
    fn replace(&self, mut found: Vec<IpAddr>, host: &str) {
        found.sort_unstable();
        found.dedup();
        if found.len() > ADDRESSES_MAX {
            tracing::warn!(target.name = host, addresses = found.len(), "too many addresses; the others are not used");
            found.truncate(ADDRESSES_MAX);
        }
        self.addresses.send_if_modified(|addresses| {
            let is_other = **addresses != *found;
            if is_other {
                if !addresses.is_empty() {
                    tracing::info!(target.name = host, addresses = ?found, "the addresses of the target have changed");
                }
                *addresses = found.into();
            }
            is_other
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    /// A resolver whose answer can be changed, and how often it was asked.
    type Script = Arc<Mutex<(Option<Vec<IpAddr>>, usize)>>;

    fn scripted(first: &[&str]) -> (Resolver, Script) {
        let script = Script::new(Mutex::new((Some(ips(first)), 0)));
        let answers = Arc::clone(&script);
        let resolver = Resolver::played(move |_| {
            let mut script = answers.lock().expect("not poisoned");
            script.1 += 1;
            script.0.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
        });
        (resolver, script)
    }

    fn say(script: &Script, answer: Option<&[&str]>) {
        script.lock().expect("not poisoned").0 = answer.map(ips);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_again_and_its_order_means_nothing() {
        let (resolver, script) = scripted(&["192.0.2.2", "192.0.2.1"]);
        let name = resolver.watch("app.test".into(), EVERY);
        let mut changes = name.changes();
        changes.changed().await.expect("it is there");
        assert_eq!(*name.addresses(), ips(&["192.0.2.1", "192.0.2.2"]));
        changes.mark_unchanged();
        say(&script, Some(&["192.0.2.1", "192.0.2.2", "192.0.2.1"]));
        tokio::time::sleep(EVERY + Duration::from_secs(1)).await;
        assert!(!changes.has_changed().expect("it is there"));
        say(&script, Some(&["192.0.2.3"]));
        changes.changed().await.expect("it is there");
        assert_eq!(*name.addresses(), ips(&["192.0.2.3"]));
        assert_eq!(script.lock().expect("not poisoned").1, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_cannot_be_resolved_keeps_its_addresses() {
        let (resolver, script) = scripted(&["192.0.2.1"]);
        let name = resolver.watch("app.test".into(), EVERY);
        name.changes().changed().await.expect("it is there");
        for answer in [None, Some(&[][..])] {
            say(&script, answer);
            // Not at the time of a lookup.
            tokio::time::sleep(3 * EVERY + Duration::from_secs(1)).await;
            assert_eq!(*name.addresses(), ips(&["192.0.2.1"]));
        }
        // It is asked more often then.
        say(&script, Some(&["192.0.2.2"]));
        tokio::time::sleep(RETRY_WAIT).await;
        assert_eq!(*name.addresses(), ips(&["192.0.2.2"]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_uses_is_not_looked_up() {
        let (resolver, script) = scripted(&["192.0.2.1"]);
        let name = resolver.watch("app.test".into(), EVERY);
        name.changes().changed().await.expect("it is there");
        drop(name);
        tokio::time::sleep(10 * EVERY).await;
        let asked = script.lock().expect("not poisoned").1;
        tokio::time::sleep(10 * EVERY).await;
        assert_eq!(script.lock().expect("not poisoned").1, asked);
        assert_eq!(Arc::strong_count(&script), 2, "this one, and that of the resolver");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_addresses_are_used_and_no_more() {
        let many: Vec<IpAddr> = (0..1000_u32).map(|host| std::net::Ipv4Addr::from_bits(host).into()).collect();
        let resolver = Resolver::played(move |_| Ok(many.clone()));
        let name = resolver.watch("app.test".into(), EVERY);
        name.changes().changed().await.expect("it is there");
        assert_eq!(name.addresses().len(), ADDRESSES_MAX);
    }
}

//! The targets of the process, by their identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Timestamp};
use crate::upstream::health::checker::Checker;
use crate::upstream::name::{Name, Resolver};
use crate::upstream::target::{Target, TargetId};

/// Gives the same [`Target`] to every configuration that has it. So a reload keeps what is known of a target. The same for the
/// DNS names of targets.
///
/// A target lives as long as a group or a connection uses it. The table alone does not keep it, so it holds no more than
/// the configurations in use.
#[derive(Debug)]
pub struct TargetTable {
    targets: Mutex<HashMap<TargetId, Weak<Target>>>,
    names: Mutex<HashMap<NameKey, Weak<Name>>>,
    resolver: Resolver,
    checker: Arc<Checker>,
    clock: Clock,
    /// What the times in the targets count from.
    epoch: Instant,
}

/// A name, and how often it is looked up.
type NameKey = (Arc<str>, Duration);

impl TargetTable {
    /// An empty table. Names are looked up by `resolver`, and targets are checked by `checker`.
    pub fn new(clock: Clock, resolver: Resolver, checker: Arc<Checker>) -> Self {
        Self { targets: Mutex::default(), names: Mutex::default(), resolver, checker, epoch: clock.instant(), clock }
    }

    /// Registers targets with these identities, for a group. Returns them in their order, each with whether it is new. Those that
    /// are in use already are the same objects as before.
    pub(super) fn register(&self, ids: impl IntoIterator<Item = TargetId>) -> Vec<(Arc<Target>, bool)> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.retain(|_, target| target.strong_count() > 0);
        let mut find = |id: TargetId| {
            if let Some(target) = targets.get(&id).and_then(Weak::upgrade) {
                return (target, false);
            }
            let target = Arc::new(Target::new(id.clone(), self.epoch));
            targets.insert(id, Arc::downgrade(&target));
            (target, true)
        };
        ids.into_iter().map(&mut find).inspect(|(target, _)| target.register()).collect()
    }

    /// Ends the registrations of a group. Requests under way at a target that no other group has are cut after `delay`.
    pub(super) fn deregister<'t>(&self, leaving: impl Iterator<Item = &'t Arc<Target>>, delay: Duration) {
        // Not while another group registers the same target.
        let _targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        leaving.for_each(|target| target.deregister(now, delay));
    }

    /// The DNS name `host`, looked up whenever `every` has passed.
    pub(super) fn name(&self, host: &Arc<str>, every: Duration) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, name| name.strong_count() > 0);
        let key = (Arc::clone(host), every);
        if let Some(name) = names.get(&key).and_then(Weak::upgrade) {
            return name;
        }
        let name = self.resolver.watch(Arc::clone(host), every);
        names.insert(key, Arc::downgrade(&name));
        name
    }

    /// What looks names up, on the control runtime.
    pub(super) const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// What checks targets, on the control runtime.
    pub(super) const fn checker(&self) -> &Arc<Checker> {
        &self.checker
    }

    /// The targets in use, also those that only an earlier configuration or a connection uses.
    pub(super) fn alive(&self) -> Vec<Arc<Target>> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.values().filter_map(Weak::upgrade).collect()
    }

    /// The current time.
    pub(super) fn now(&self) -> Instant {
        self.clock.instant()
    }

    /// The current time of the calendar.
    pub(super) fn calendar(&self) -> Timestamp {
        self.clock.now()
    }

    /// The number of targets and names that the table has.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.targets.lock().expect("not poisoned").len(), self.names.lock().expect("not poisoned").len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::place::Place;
    use crate::upstream::protocol_version::ProtocolVersion;
    use crate::upstream::tls::{self, Tls, Trust};

    fn id(group: &str, host: &str, port: u16, tls: Option<Tls>) -> TargetId {
        TargetId { group: group.into(), place: Place::new(host, port), tls }
    }

    fn table() -> TargetTable {
        let resolver = Resolver::played(|name| panic!("{name} is looked up"));
        TargetTable::new(Clock::system(), resolver, Checker::unused())
    }

    fn authority() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate")
    }

    #[tokio::test]
    async fn a_target_is_known_by_its_group_its_address_and_how_it_is_trusted() {
        let table = table();
        let (one, other) = (authority(), authority());
        let verifying = |root: &rcgen::CertifiedKey<rcgen::KeyPair>, name: Option<&str>| {
            let name = name.map(|name| name.to_owned().try_into().expect("a name"));
            Some(tls::config(Trust::Roots(vec![root.cert.der().clone()]), name, None, ProtocolVersion::Http1))
        };
        let identified = tls::Identity::from_pem(&one.cert.pem(), &one.signing_key.serialize_pem().into());
        let identified =
            tls::config(Trust::Any, None, Some(identified.expect("it belongs together")), ProtocolVersion::Http1);
        let ids = || {
            [
                id("app", "a.test", 80, None),
                id("app", "a.test", 81, None),
                id("app", "b.test", 80, None),
                id("api", "a.test", 80, None),
                id("app", "a.test", 80, Some(tls::config(Trust::Any, None, None, ProtocolVersion::Http1))),
                id("app", "a.test", 80, Some(identified.clone())),
                id("app", "a.test", 80, verifying(&one, None)),
                id("app", "a.test", 80, verifying(&one, Some("c.test"))),
                id("app", "a.test", 80, verifying(&other, None)),
            ]
        };
        let (first, again) = (table.register(ids()), table.register(ids()));
        for (place, (target, is_new)) in first.iter().enumerate() {
            assert!(*is_new && !again[place].1);
            for (other, (found, _)) in again.iter().enumerate() {
                assert_eq!(Arc::ptr_eq(target, found), place == other, "{:?} and {:?}", target.id, found.id);
            }
        }
    }

    #[test]
    fn the_order_of_authorities_in_a_file_makes_no_other_target() {
        let [one, two] = [authority(), authority()].map(|authority| authority.cert.der().clone());
        let config = |roots: [&rustls_pki_types::CertificateDer<'static>; 2]| {
            tls::config(Trust::Roots(roots.map(Clone::clone).into()), None, None, ProtocolVersion::Http1)
        };
        assert_eq!(config([&one, &two]), config([&two, &one]));
    }

    #[tokio::test]
    async fn a_target_that_nobody_uses_is_forgotten() {
        let table = table();
        let targets = table.register([id("app", "a.test", 80, None), id("app", "b.test", 80, None)]);
        let weak = Arc::downgrade(&targets[1].0);
        let kept = Arc::clone(&targets[0].0);
        drop(targets);
        assert!(weak.upgrade().is_none());
        for port in 1..100 {
            table.register([id("app", "c.test", port, None)]);
        }
        assert!(Arc::ptr_eq(&table.register([kept.id.clone()])[0].0, &kept));
        assert_eq!(table.counts(), (1, 0), "only what is used");
    }
}

//! The targets of the process, by their identity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use crate::upstream::target::{Target, TargetId};

/// Gives the same [`Target`] to every configuration that has it. So a reload keeps what is known of a target.
///
/// A target lives as long as a group or a connection uses it. The table alone does not keep it, so it holds no more than
/// the configurations in use.
#[derive(Debug)]
pub(crate) struct TargetTable {
    targets: Mutex<HashMap<TargetId, Weak<Target>>>,
    /// What the times in the targets count from.
    epoch: Instant,
}

impl TargetTable {
    /// An empty table. `now` is the current time.
    pub(crate) fn new(now: Instant) -> Self {
        Self { targets: Mutex::default(), epoch: now }
    }

    /// The targets with these identities, in their order. Those that are in use already are the same objects as before.
    pub(crate) fn targets(&self, ids: impl IntoIterator<Item = TargetId>) -> Vec<Arc<Target>> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.retain(|_, target| target.strong_count() > 0);
        let mut find = |id: TargetId| {
            if let Some(target) = targets.get(&id).and_then(Weak::upgrade) {
                return target;
            }
            let target = Arc::new(Target::new(id.clone(), self.epoch));
            targets.insert(id, Arc::downgrade(&target));
            target
        };
        ids.into_iter().map(&mut find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::upstream::settings::TargetSettings;
    use crate::upstream::tls::{self, Tls};

    fn id(group: &str, host: &str, port: u16, tls: Option<Tls>) -> TargetId {
        TargetId { group: group.into(), place: TargetSettings { host: host.into(), port }, tls }
    }

    fn table() -> TargetTable {
        TargetTable::new(Clock::system().instant())
    }

    #[test]
    fn a_target_is_known_by_its_group_its_address_and_how_it_is_trusted() {
        let table = table();
        let authority = || rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        let (one, other) = (authority(), authority());
        let verifying = |root: &rcgen::CertifiedKey<rcgen::KeyPair>| tls::verifying([root.cert.der().clone()]);
        let ids = || {
            [
                id("app", "a.test", 80, None),
                id("app", "a.test", 81, None),
                id("app", "b.test", 80, None),
                id("api", "a.test", 80, None),
                id("app", "a.test", 80, Some(tls::trusting())),
                id("app", "a.test", 80, Some(verifying(&one))),
                id("app", "a.test", 80, Some(verifying(&other))),
            ]
        };
        let (first, again) = (table.targets(ids()), table.targets(ids()));
        for (place, target) in first.iter().enumerate() {
            for (other, found) in again.iter().enumerate() {
                assert_eq!(Arc::ptr_eq(target, found), place == other, "{:?} and {:?}", target.id, found.id);
            }
        }
    }

    #[test]
    fn the_order_of_authorities_in_a_file_makes_no_other_target() {
        let [one, two] =
            ["a", "b"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate"));
        let [one, two] = [one.cert.der().clone(), two.cert.der().clone()];
        assert_eq!(tls::verifying([one.clone(), two.clone()]), tls::verifying([two, one]));
    }

    #[test]
    fn a_target_that_nobody_uses_is_forgotten() {
        let table = table();
        let targets = table.targets([id("app", "a.test", 80, None), id("app", "b.test", 80, None)]);
        let weak = Arc::downgrade(&targets[1]);
        let kept = Arc::clone(&targets[0]);
        drop(targets);
        assert!(weak.upgrade().is_none());
        for port in 1..100 {
            table.targets([id("app", "c.test", port, None)]);
        }
        assert!(Arc::ptr_eq(&table.targets([kept.id.clone()])[0], &kept));
        assert_eq!(table.targets.lock().expect("not poisoned").len(), 1, "only what is used");
    }
}

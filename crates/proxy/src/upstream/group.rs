//! A target group of one configuration, shared by all workers. Its targets change when the addresses of a name do.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use futures_util::future;
use tokio::sync::oneshot;

use crate::upstream::anomaly::Anomalies;
use crate::upstream::health::checker::{Checks, Plan};
use crate::upstream::members::Members;
use crate::upstream::name::Name;
use crate::upstream::place::Place;
use crate::upstream::settings::{Settings, TargetSettings};
use crate::upstream::target::{Target, TargetId};
use crate::upstream::target_table::TargetTable;

/// A target group of one configuration.
#[derive(Debug)]
pub struct TargetGroup {
    pub settings: Settings,
    table: Arc<TargetTable>,
    /// For each target of the settings that is a DNS name.
    names: Vec<Option<Arc<Name>>>,
    /// Whether the group has given its targets back. Locked while the members change.
    is_retired: Mutex<bool>,
    members: ArcSwap<Members>,
    /// The number of `members`, so that workers see cheaply that nothing has changed.
    number: AtomicU64,
    pub(super) anomalies: Anomalies,
    /// Ends the task that follows the names when the group is dropped.
    _following: Option<oneshot::Sender<Infallible>>,
    /// `None` if the group is not checked.
    plan: Option<Arc<Plan>>,
    /// Of the members. They end when the group is retired.
    checks: Mutex<Option<Checks>>,
}

impl TargetGroup {
    /// A group with targets of `table`. What the process knows of them already stays known. Follows the addresses of its names
    /// until it is dropped.
    pub fn new(settings: Settings, table: &Arc<TargetTable>) -> Arc<Self> {
        let name = |target: &TargetSettings| match &target.place {
            Place::Name { name, .. } => Some(table.name(name, settings.resolve_every)),
            Place::Address { .. } | Place::Unix(_) => None,
        };
        let names: Vec<_> = settings.targets.iter().map(name).collect();
        let (following, gone) = oneshot::channel();
        let has_names = names.iter().any(Option::is_some);
        let plan = |health| table.checker().plan(&settings.name, health, settings.slow_start);
        let group = Arc::new(Self {
            table: Arc::clone(table),
            names,
            is_retired: Mutex::default(),
            members: ArcSwap::default(),
            number: AtomicU64::new(0),
            anomalies: Anomalies::new(table.now()),
            _following: has_names.then_some(following),
            plan: settings.health.as_ref().filter(|_| settings.is_used).map(plan),
            checks: Mutex::default(),
            settings,
        });
        let changes: Vec<_> = group.names.iter().flatten().map(|name| name.changes()).collect();
        group.rebuild();
        if has_names {
            table.resolver().start(follow(Arc::downgrade(&group), changes, gone));
        }
        group
    }

    /// The targets that the group has now.
    pub(crate) fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// The number of the targets that the group has now. It grows with every change.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Gives the targets back, because another configuration has taken the place of this one. Call it when all workers have
    /// the other. A target that no other group has gets no new requests; those under way are cut after `deregistration_delay`.
    /// Requests that began with this group still choose among its targets, those that stay first.
    pub fn retire(&self) {
        let mut is_retired = self.is_retired.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *is_retired, true) {
            self.deregister(&self.members());
            // Requests that began with this group may last for hours.
            *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn deregister(&self, members: &Members) {
        let targets = members.list.iter().map(|member| &member.target);
        self.table.deregister(targets, self.settings.deregistration_delay);
    }

    /// Takes over the addresses that the names have now.
    fn rebuild(&self) {
        let is_retired = self.is_retired.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_retired {
            return;
        }
        let mut places = Vec::new();
        for (target, name) in self.settings.targets.iter().zip(&self.names) {
            let addresses = name.as_ref().map(|name| name.addresses()).unwrap_or_default();
            match &target.place {
                // Each address of a name is a target, with the weight of the name.
                Place::Name { name, port } if !addresses.is_empty() => places.extend(addresses.iter().map(|address| {
                    let address = (*address, *port).into();
                    (Place::Address { address, name: Some(Arc::clone(name)) }, target.weight)
                })),
                place => places.push((place.clone(), target.weight)),
            }
        }
        let ids = places.iter().map(|(place, _)| TargetId::new(&self.settings, place.clone()));
        let targets = self.table.register(ids);
        if self.plan.is_none() {
            self.start_slowly(&targets);
        }
        let targets = targets.into_iter().map(|(target, _)| target);
        let checks = self.plan.as_ref().map(|plan| self.table.checker().start(plan, targets.clone().collect()));
        // Those before end now. What both check is checked all the time.
        *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = checks;
        let number = self.number() + 1;
        let weights = places.iter().map(|(_, weight)| *weight);
        let health = self.plan.as_ref().map(|plan| Arc::clone(&plan.group));
        let members = Members { health, ..Members::new(number, targets.zip(weights).collect()) };
        let before = self.members.swap(Arc::new(members));
        self.number.store(number, Ordering::Release);
        // After the others were registered, so that those that stay are registered all the time.
        self.deregister(&before);
    }

    /// Begins the slow start of the targets that are new, if there is another that is not (ALB §9.4).
    fn start_slowly(&self, targets: &[(Arc<Target>, bool)]) {
        let (now, duration) = (self.table.now(), self.settings.slow_start);
        let is_ready = |target: &Target| {
            target.skipped_until(now).is_none() && target.slow_share(now, duration) == crate::upstream::target::WHOLE
        };
        let has_other = targets.iter().any(|(target, is_new)| !is_new && is_ready(target));
        if has_other && !duration.is_zero() {
            targets.iter().filter(|(_, is_new)| *is_new).for_each(|(target, _)| target.start_slowly(now));
        }
    }
}

impl Drop for TargetGroup {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Rebuilds a group whenever the addresses of one of its names have changed, until the group is `gone`.
async fn follow(
    group: Weak<TargetGroup>,
    mut changes: Vec<tokio::sync::watch::Receiver<Arc<[std::net::IpAddr]>>>,
    mut gone: oneshot::Receiver<Infallible>,
) {
    loop {
        let changed = future::select_all(changes.iter_mut().map(|changes| Box::pin(changes.changed())));
        // Cancel-safe: a change that is not seen here is seen by the next call.
        tokio::select! {
            _ = &mut gone => return,
            (changed, ..) = changed => {
                if changed.is_err() {
                    return;
                }
            }
        }
        let Some(group) = group.upgrade() else { return };
        group.rebuild();
    }
}

#[cfg(test)]
mod tests;

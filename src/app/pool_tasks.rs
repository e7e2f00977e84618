//! One task for each user pool with a database. It outlives configurations, and works as the newest one says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::app::supervise::keep_running;
use crate::app::vitals::Vitals;
use crate::drain::Control;
use crate::user_pool::background;
use crate::user_pool::messages::dispatch::Dispatch;

/// What one pool does besides answering requests, as one configuration says.
#[derive(Debug)]
pub(crate) struct PoolWork {
    /// What the pool is known by from one configuration to the next.
    pub(crate) issuer: String,
    pub(crate) dispatch: Arc<Dispatch>,
    /// Wakes the task when there is something to send.
    pub(crate) added: Arc<Notify>,
}

/// The tasks of one process.
#[derive(Debug, Default)]
pub(crate) struct PoolTasks(Mutex<BTreeMap<String, watch::Sender<Option<Arc<Dispatch>>>>>);

impl PoolTasks {
    /// From now on, this is what the pools do. A pool that is not among them does nothing until it comes back.
    pub(crate) fn adopt(&self, work: &[PoolWork], control: &Control, vitals: &Vitals) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, task) in tasks.iter().filter(|(issuer, _)| work.iter().all(|work| work.issuer != **issuer)) {
            task.send_replace(None);
        }
        for PoolWork { issuer, dispatch, added } in work {
            let newest = Some(Arc::clone(dispatch));
            if let Some(task) = tasks.get(issuer) {
                task.send_replace(newest);
            } else if let Some(draining) = control.draining() {
                let (task, told) = watch::channel(newest);
                let part = vitals.part("user pool", format!("the messages of the user pool {issuer}"));
                let added = Arc::clone(added);
                control.start(async move {
                    keep_running(&part, || background::run(told.clone(), Arc::clone(&added), draining.clone())).await;
                });
                tasks.insert(issuer.clone(), task);
            }
        }
    }
}

//! One task for each user pool with a database. It outlives configurations, and works as the newest one says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::app::supervise::keep_running;
use crate::app::vitals::Vitals;
use crate::drain::Control;
use crate::user_pool::background;
use crate::user_pool::events::keeper::EventKeeper;
use crate::user_pool::messages::dispatch::Dispatch;

/// What one pool does besides answering requests, as one configuration says.
#[derive(Debug)]
pub(crate) struct PoolWork {
    /// What the pool is known by from one configuration to the next.
    pub(crate) issuer: String,
    pub(crate) dispatch: Arc<Dispatch>,
    /// What keeps the sign-in log and the audit.
    pub(crate) log: Arc<EventKeeper>,
    /// Wakes the task when there is something to send.
    pub(crate) added: Arc<Notify>,
}

/// The tasks of one process.
#[derive(Debug, Default)]
pub(crate) struct PoolTasks(Mutex<BTreeMap<String, Task>>);

/// Tells a task what the newest configuration says. `None`: no configuration has the pool.
#[derive(Debug)]
struct Task {
    dispatch: watch::Sender<Option<Arc<Dispatch>>>,
    log: watch::Sender<Option<Arc<EventKeeper>>>,
}

impl Task {
    fn tell(&self, work: Option<&PoolWork>) {
        self.dispatch.send_replace(work.map(|work| Arc::clone(&work.dispatch)));
        self.log.send_replace(work.map(|work| Arc::clone(&work.log)));
    }
}

impl PoolTasks {
    /// From now on, this is what the pools do. A pool that is not among them does nothing until it comes back.
    pub(crate) fn adopt(&self, work: &[PoolWork], control: &Control, vitals: &Vitals) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, task) in tasks.iter().filter(|(issuer, _)| work.iter().all(|work| work.issuer != **issuer)) {
            task.tell(None);
        }
        for pool in work {
            let issuer = &pool.issuer;
            if let Some(task) = tasks.get(issuer) {
                task.tell(Some(pool));
            } else if let Some(draining) = control.draining() {
                let (dispatch, sends) = watch::channel(Some(Arc::clone(&pool.dispatch)));
                let (log, keeps) = watch::channel(Some(Arc::clone(&pool.log)));
                let part = vitals.part("user pool", format!("the messages of the user pool {issuer}"));
                let added = Arc::clone(&pool.added);
                control.start(async move {
                    let run = || background::run(sends.clone(), keeps.clone(), Arc::clone(&added), draining.clone());
                    keep_running(&part, run).await;
                });
                tasks.insert(issuer.clone(), Task { dispatch, log });
            }
        }
    }
}

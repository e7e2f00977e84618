//! What each worker has for itself.

use std::rc::Rc;

use crate::action::authenticate::worker_state::WorkerState;
use crate::action::bearer::worker_state::BearerState;
use crate::action::extras::WorkerExtras;
use crate::clock::Clock;
use crate::drain::Spawner;
use crate::static_files::disk::Disk;
use crate::static_files::places::Places;
use crate::telemetry::line_budget::LineBudget;
use crate::upstream::group_client::GroupClient;

/// The state of one worker. Nothing in it is shared with other workers.
#[derive(Debug)]
pub struct Worker {
    /// The sessions that this worker has decrypted.
    pub authenticate: WorkerState,
    /// The bearer tokens that this worker has verified.
    pub bearer: BearerState,
    /// The client of each target group, by the index in [`Forward`](crate::action::forward::Forward).
    pub groups: Vec<GroupClient>,
    /// What some `forward` actions need, by the place in [`Forward`](crate::action::forward::Forward).
    pub extras: Vec<WorkerExtras>,
    /// The threads that read the files of each `static` action, by the place in
    /// [`StaticFiles`](crate::action::static_files::StaticFiles).
    pub disks: Vec<Disk>,
    /// For the answers of all `static` actions.
    pub places: Places,
    /// Limits the log lines of `authorize` with `mode: report`.
    pub reported: Rc<LineBudget>,
    pub clock: Clock,
    pub spawner: Spawner,
}

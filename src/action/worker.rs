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
pub(crate) struct Worker {
    /// The sessions that this worker has decrypted.
    pub(crate) authenticate: WorkerState,
    /// The bearer tokens that this worker has verified.
    pub(crate) bearer: BearerState,
    /// The client of each target group, by the index in [`Forward`](crate::action::forward::Forward).
    pub(crate) groups: Vec<GroupClient>,
    /// What some `forward` actions need, by the place in [`Forward`](crate::action::forward::Forward).
    pub(crate) extras: Vec<WorkerExtras>,
    /// The threads that read the files of each `static` action, by the place in
    /// [`StaticFiles`](crate::action::static_files::StaticFiles).
    pub(crate) disks: Vec<Disk>,
    /// For the answers of all `static` actions.
    pub(crate) places: Places,
    /// Limits the log lines of `authorize` with `mode: report`.
    pub(crate) reported: Rc<LineBudget>,
    pub(crate) clock: Clock,
    pub(crate) spawner: Spawner,
}

//! Offers the listening sockets to a process that takes over, and stops when one has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::app::process::Process;
use crate::app::reload::Reloader;
use crate::app::signals::Leaver;
use crate::handover::{Error, Offer, Passed, Place, Successor};

/// Delay after the system could not accept, because the next attempt would fail at once, too.
const FAILED_WAIT: Duration = Duration::from_secs(1);

/// The offer of this process. It is withdrawn when this is dropped.
#[derive(Debug)]
pub(crate) struct Offering {
    offer: Arc<Offer>,
    is_over: Arc<AtomicBool>,
}

impl Drop for Offering {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.offer.withdraw();
    }
}

/// Values of the thread that waits for a successor.
struct Waiting {
    offer: Arc<Offer>,
    is_over: Arc<AtomicBool>,
    reloader: Weak<Reloader>,
    process: Arc<Process>,
    leaver: Leaver,
}

impl Offering {
    /// Waits for a process that takes over, on a thread of its own: another process may be slow or stuck.
    pub(crate) fn start(
        place: &Place,
        reloader: &Arc<Reloader>,
        process: &Arc<Process>,
        leaver: Leaver,
    ) -> Result<Self, Error> {
        let (offer, is_over) = (Arc::new(Offer::new(place)?), Arc::new(AtomicBool::new(false)));
        let waiting = Waiting {
            offer: Arc::clone(&offer),
            is_over: Arc::clone(&is_over),
            reloader: Arc::downgrade(reloader),
            process: Arc::clone(process),
            leaver,
        };
        std::thread::Builder::new().name("takeover".into()).spawn(move || waiting.run())?;
        tracing::info!(socket = %place.path().display(), "another process can take over");
        Ok(Self { offer, is_over })
    }
}

impl Waiting {
    fn run(self) {
        while !self.is_over.load(Ordering::Relaxed) {
            match self.offer.next() {
                _ if self.is_over.load(Ordering::Relaxed) => return,
                Ok(successor) => {
                    let Some(reloader) = self.reloader.upgrade() else { return };
                    match self.hand_over(&reloader, &successor) {
                        Ok(()) => return,
                        Err(error) => tracing::error!(
                            process.pid = successor.process,
                            error = %error,
                            "another process wanted to take over and did not; this one goes on"
                        ),
                    }
                }
                Err(error @ Error::OtherUser(_)) => tracing::warn!(error = %error, "no takeover"),
                Err(error) => {
                    tracing::error!(error = %error, "cannot wait for a process that takes over; trying again");
                    std::thread::park_timeout(FAILED_WAIT);
                }
            }
        }
    }

    fn hand_over(&self, reloader: &Reloader, successor: &Successor) -> Result<(), Error> {
        tracing::info!(process.pid = successor.process, "another process takes over");
        let mut held = None;
        successor.hand_over(|| {
            let lent = held.insert(reloader.hold()).lend()?;
            Ok(lent.into_iter().map(|(key, socket)| Passed { key, socket }).collect())
        })?;
        self.process.has_successor.store(true, Ordering::Relaxed);
        if let Some(held) = held {
            held.leave();
        }
        // The service manager listens to the new process only if this one says so first.
        if let Some(manager) = self.process.manager.get().filter(|_| is_of_this_service(successor.process)) {
            manager.succeeded_by(successor.process);
        }
        successor.step_down();
        tracing::info!(process.pid = successor.process, "another process has taken over; this one stops");
        self.leaver.leave();
        Ok(())
    }
}

/// Whether a process is in the control group of this one. A service manager puts the processes of a service into one.
fn is_of_this_service(process: u32) -> bool {
    let group = |process: &str| std::fs::read_to_string(format!("/proc/{process}/cgroup")).ok();
    group("self").is_some_and(|own| group(&process.to_string()) == Some(own))
}

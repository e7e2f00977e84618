//! Tells the service manager that the process is alive, as long as `/livez` says so.

use std::sync::Arc;
use std::time::Duration;

use crate::app::process::Process;
use crate::app::vitals::Vitals;
use crate::service_manager::ServiceManager;

/// Says it twice in each `watchdog`, as sd_watchdog_enabled(3) advises. Runs on the control runtime, so a process whose admin endpoint is
/// stuck is silent, too.
pub(super) async fn keep_telling(vitals: Vitals, process: Arc<Process>, watchdog: Duration) {
    loop {
        let wait = match process.manager.get() {
            Some(manager) => next(manager, || vitals.faults().is_empty(), watchdog),
            None => return,
        };
        tokio::time::sleep(wait).await;
    }
}

/// Says it if `is_alive`. Returns when to ask again. A part that panicked is up again in a moment, so a process that is not alive is asked
/// again soon: the manager must hear it before its time is over.
fn next(manager: &ServiceManager, is_alive: impl Fn() -> bool, watchdog: Duration) -> Duration {
    if is_alive() && manager.lives() { watchdog / 2 } else { watchdog / 16 }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::service_manager::Variables;
    use crate::telemetry::metrics::Registry;
    use crate::testing::temporary_directory;

    #[test]
    fn a_process_with_a_fault_does_not_say_that_it_is_alive() {
        let directory = temporary_directory("watchdog");
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let manager = ServiceManager::at(path.as_os_str(), &Variables::default()).unwrap();
        let vitals = Vitals::new(&Registry::default());
        let worker = vitals.part("worker", "worker 0".into());
        let is_alive = || vitals.faults().is_empty();
        let watchdog = Duration::from_secs(16);
        let mut text = [0; 64];

        assert_eq!(next(&manager, is_alive, watchdog), Duration::from_secs(8));
        assert_eq!(socket.recv(&mut text).unwrap(), "WATCHDOG=1\n".len());
        worker.died();
        assert_eq!(next(&manager, is_alive, watchdog), Duration::from_secs(1));
        worker.is_up();
        while next(&manager, is_alive, watchdog) != Duration::from_secs(8) {
            // The first message counts as sent a moment after it was heard.
            std::thread::yield_now();
        }
        assert_eq!(socket.recv(&mut text).unwrap(), "WATCHDOG=1\n".len());
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut text).is_err(), "it was said twice");
    }
}

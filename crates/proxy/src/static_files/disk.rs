//! Runs what may wait for a disk on threads of its own, so that the worker goes on.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

/// The threads that may wait for the files of one directory, on one worker. A disk that hangs (a network file system) holds up as many threads
/// as this, and only requests for its own files.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Reads>>);

/// A [`Disk`] that lives as long as somebody else needs it.
#[derive(Debug)]
pub(super) struct WeakDisk(Weak<Mutex<Reads>>);

impl WeakDisk {
    pub(super) fn upgrade(&self) -> Option<Disk> {
        self.0.upgrade().map(Disk)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// Maximum number of reads of one directory at the same time, for each worker.
const READS_MAX: usize = 16;

/// How long one read may take, with the time in which it waits for its turn.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The read was not done: it has panicked, or the worker ends.
#[derive(Debug, thiserror::Error)]
#[error("the read was given up")]
pub(crate) struct GivenUp;

/// What a thread does for one request.
type Job = Box<dyn FnOnce() + Send>;

/// A place belongs to a thread that reads, never to a future that waits: a stream whose client takes nothing is not polled, and would keep it
/// (attacks D-27).
#[derive(Default)]
struct Reads {
    /// Threads that read.
    running: usize,
    /// Reads that wait for their turn, the first one first. Each belongs to a future that is still there.
    waiting: BTreeMap<u64, Job>,
    next: u64,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("running", &self.running).field("waiting", &self.waiting.len()).finish()
    }
}

/// Takes a read out of the queue when nobody waits for it any more.
struct Turn {
    disk: Disk,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let left = self.disk.reads().waiting.remove(&self.number);
        // After the lock: it holds a file, which closing may wait for.
        drop(left);
    }
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Runs `read` and waits for its value. It begins when the future is polled first, and goes on however seldom that is polled. If the
    /// future is dropped, a read that has begun goes on and keeps its place, and one that waits is given up.
    ///
    /// # Errors
    ///
    /// [`GivenUp`].
    pub(crate) fn run<T, F>(&self, read: F) -> impl Future<Output = Result<T, GivenUp>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let disk = self.clone();
        async move {
            let (done, value) = oneshot::channel();
            let _turn = disk.begin(Box::new(move || {
                // Nobody may wait for it any more.
                let _ = done.send(read());
            }));
            value.await.map_err(|_| GivenUp)
        }
    }

    /// Begins a read, or lets it wait for its turn.
    fn begin(self, job: Job) -> Turn {
        let mut reads = self.reads();
        let number = reads.next;
        reads.next += 1;
        if reads.running < READS_MAX {
            reads.running += 1;
            drop(reads);
            let disk = self.clone();
            drop(tokio::task::spawn_blocking(move || disk.work(job)));
        } else {
            reads.waiting.insert(number, job);
            drop(reads);
        }
        Turn { disk: self, number }
    }

    /// Does what there is to do, and ends.
    fn work(&self, mut job: Job) {
        loop {
            // A read that panics drops its sender, and must not take the place along.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(job));
            let mut reads = self.reads();
            match reads.waiting.pop_first() {
                Some((_, next)) => job = next,
                None => {
                    reads.running -= 1;
                    return;
                }
            }
        }
    }

    pub(super) fn downgrade(&self) -> WeakDisk {
        WeakDisk(Arc::downgrade(&self.0))
    }

    fn reads(&self) -> MutexGuard<'_, Reads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::pin::Pin;
    use std::sync::mpsc;
    use std::task::Poll;

    use super::*;
    use crate::static_files::worker_files::WorkerFiles;

    type Waiting = Pin<Box<dyn Future<Output = Result<bool, GivenUp>>>>;

    /// As many reads as there are places, which go on until the sender is dropped.
    fn hanging(disk: &Disk) -> (mpsc::Sender<()>, Vec<Waiting>) {
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let one = |_| -> Waiting {
            let held = Arc::clone(&held);
            Box::pin(disk.run(move || held.lock().unwrap().recv().is_err()))
        };
        (release, (0..READS_MAX).map(one).collect())
    }

    async fn poll_once(reads: &mut [Waiting]) {
        std::future::poll_fn(|cx| {
            assert!(reads.iter_mut().all(|read| read.as_mut().poll(cx).is_pending()));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn d_27_reads_that_hang_hold_up_only_their_own_disk() {
        let (disk, other) = (Disk::new(), Disk::new());
        let (release, mut all) = hanging(&disk);
        poll_once(&mut all).await;
        let mut next: [Waiting; 1] = [Box::pin(disk.run(|| true))];
        poll_once(&mut next).await;
        assert_eq!(other.run(|| 2).await.unwrap(), 2);
        drop(release);
        for read in all.into_iter().chain(next) {
            assert!(read.await.unwrap());
        }
        assert_eq!(disk.reads().waiting.len(), 0);
    }

    #[tokio::test]
    async fn d_27_a_read_that_waits_and_is_not_polled_any_more_keeps_no_place() {
        let disk = Disk::new();
        let (release, mut all) = hanging(&disk);
        poll_once(&mut all).await;
        // Streams whose clients take nothing: they are there, and nobody polls them.
        let mut still: Vec<Waiting> = (0..3 * READS_MAX).map(|_| -> Waiting { Box::pin(disk.run(|| true)) }).collect();
        poll_once(&mut still).await;
        drop(release);
        assert_eq!(disk.run(|| 1).await.unwrap(), 1);
        for read in all.into_iter().chain(still) {
            assert!(read.await.unwrap());
        }
    }

    #[tokio::test]
    async fn d_27_reads_that_hang_keep_their_places_over_a_reload() {
        let files = WorkerFiles::new(1);
        let before = files.disk(Path::new("/srv/a"));
        let (release, mut all) = hanging(&before);
        poll_once(&mut all).await;
        // The old configuration is gone, and so are the clients. Only the threads are left.
        drop((before, all));
        let again = files.disk(Path::new("/srv/a"));
        let mut next: [Waiting; 1] = [Box::pin(again.run(|| true))];
        poll_once(&mut next).await;
        assert_eq!(files.disk(Path::new("/srv/b")).run(|| 2).await.unwrap(), 2, "another directory");
        drop(release);
        let [next] = next;
        assert!(next.await.unwrap());
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_is_not_kept() {
        let disk = Disk::new();
        let (release, mut all) = hanging(&disk);
        poll_once(&mut all).await;
        let mut given_up: [Waiting; 1] = [Box::pin(disk.run(|| true))];
        poll_once(&mut given_up).await;
        assert_eq!(disk.reads().waiting.len(), 1);
        drop(given_up);
        assert_eq!(disk.reads().waiting.len(), 0);
        drop(release);
    }

    #[tokio::test]
    async fn a_read_that_panics_is_told_and_keeps_no_place() {
        let disk = Disk::new();
        for _ in 0..2 * READS_MAX {
            assert!(disk.run(|| -> u8 { panic!("a bug") }).await.is_err());
        }
        assert_eq!(disk.run(|| 1).await.unwrap(), 1);
    }
}

//! Reloads when a file of the configuration changes: the file itself, or one that it names.
//!
//! Asks the file system once a second, because that also sees what change notifications miss: a symbolic link that leads elsewhere
//! (Kubernetes changes mounted volumes so), network file systems, and files that do not exist yet (docs/decisions/0058).

use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use crate::app::reload::Reloader;
use crate::config::document::files::{NamedFile, Stamp};

/// How often the files are looked at.
const BEAT: Duration = Duration::from_secs(1);

/// A file that is still being written is read after so many beats at the latest.
const BEATS_MAX: u32 = 10;

/// Decides when files have changed and are no longer being written.
#[derive(Debug, Default)]
struct Watch {
    /// What was seen at the last beat, if it was not what the last attempt has read, and since how many beats.
    pending: Option<(Vec<Option<Stamp>>, u32)>,
}

impl Watch {
    /// Whether to reload. `read` is what the last attempt has read, `now` what is there.
    fn is_due(&mut self, read: &[Option<Stamp>], now: &[Option<Stamp>]) -> bool {
        if read == now {
            self.pending = None;
            return false;
        }
        let (is_quiet, beats) = match &self.pending {
            Some((before, beats)) => (before == now, beats + 1),
            None => (false, 0),
        };
        if is_quiet || beats >= BEATS_MAX {
            self.pending = None;
            return true;
        }
        self.pending = Some((now.to_owned(), beats));
        false
    }
}

/// Watches until the process ends.
pub(crate) async fn watch(reloader: Weak<Reloader>) {
    let mut watch = Watch::default();
    loop {
        tokio::time::sleep(BEAT).await;
        let Some(reloader) = reloader.upgrade().filter(|reloader| !reloader.is_leaving()) else { return };
        if !reloader.in_force().watch {
            continue;
        }
        let files = reloader.files();
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        // A network file system may not answer for long.
        let looked = tokio::task::spawn_blocking(move || paths.iter().map(|path| Stamp::now(path)).collect::<Vec<_>>());
        let Ok(now) = looked.await else { continue };
        let read: Vec<_> = files.iter().map(|NamedFile { stamp, .. }| *stamp).collect();
        if watch.is_due(&read, &now) {
            // The reload logs what happens.
            let _ = reloader.reload("a file has changed").await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::temporary_directory;

    #[test]
    fn a_change_is_read_when_nothing_has_moved_for_a_beat() {
        let directory = temporary_directory("watch");
        let path = directory.join("file");
        let stamp = |text: &str| {
            std::fs::write(&path, text).unwrap();
            [Stamp::now(&path)]
        };
        let (read, first, second) = (stamp("a"), stamp("ab"), stamp("abc"));
        let mut watch = Watch::default();
        assert!(!watch.is_due(&read, &read));
        assert!(!watch.is_due(&read, &first), "it may still be written");
        assert!(!watch.is_due(&read, &second));
        assert!(watch.is_due(&read, &second));
        // What was read by then.
        assert!(!watch.is_due(&second, &second));
        // A file that is gone, and comes back as it was.
        assert!(!watch.is_due(&second, &[None]));
        assert!(!watch.is_due(&second, &second));
        assert!(!watch.is_due(&second, &[None]));
        assert!(watch.is_due(&second, &[None]));
    }

    #[test]
    fn a_file_that_grows_for_ever_is_read_at_intervals() {
        let directory = temporary_directory("grows");
        let path = directory.join("file");
        let mut watch = Watch::default();
        let due = (1..100).filter(|length| {
            std::fs::write(&path, vec![b'x'; *length]).unwrap();
            watch.is_due(&[None], &[Stamp::now(&path)])
        });
        assert_eq!(due.count(), 9);
    }
}

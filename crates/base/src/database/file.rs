//! The file of a database, and the lock beside it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::database::error::OpenError;

/// Only the user of the process: the file has password hashes.
const MODE: u32 = 0o600;

/// Who else may have the database open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nobody. For a process that serves.
    Nobody,
    /// The process whose place this one takes: for the time in which both serve.
    Predecessor,
    /// A process that serves. For commands.
    Server,
}

/// Keeps two processes that serve from using one file: each would not see what the other has in its memory. On a file of its own, because closing
/// any handle of the database would drop the locks of SQLite (fcntl(2)). It ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: Option<Arc<File>>,
}

impl Lock {
    /// Takes the lock of the database at `path`, if nobody has it.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] if one of the `others` has it who must not.
    pub(super) fn take(path: &Path, others: Others) -> Result<Self, OpenError> {
        let beside = beside(path, ".lock");
        let failed = |source| OpenError::File { path: beside.clone(), source };
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(&beside).map_err(failed)?;
        match (flock(&file, FlockOperation::NonBlockingLockExclusive), others) {
            (Ok(()), _) => Ok(Self { file: Some(Arc::new(file)) }),
            (Err(Errno::WOULDBLOCK), Others::Nobody) => Err(OpenError::InUse(path.to_owned())),
            (Err(Errno::WOULDBLOCK), Others::Server) => Ok(Self { file: None }),
            (Err(Errno::WOULDBLOCK), Others::Predecessor) => {
                let file = Arc::new(file);
                let waiting = Arc::clone(&file);
                let thread = thread::Builder::new().name("database-lock".into());
                // Gets the lock as soon as the other process has ended. If this one ends first, so does the thread.
                let wait = move || {
                    let _ = flock(&waiting, FlockOperation::LockExclusive);
                };
                thread.spawn(wait).map_err(OpenError::Thread)?;
                Ok(Self { file: Some(file) })
            }
            (Err(error), _) => Err(failed(error.into())),
        }
    }

    /// Whether nobody else serves, so that the tables may be changed.
    pub(super) fn is_held(&self) -> bool {
        self.file.is_some()
    }
}

/// Creates the file with our mode, if there is none. SQLite gives its other files the mode of this one.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path);
    opened.map(drop).map_err(|source| OpenError::File { path: path.to_owned(), source })
}

/// Creates a file that must not exist.
pub(super) fn create_new(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(MODE).open(path).map(drop)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

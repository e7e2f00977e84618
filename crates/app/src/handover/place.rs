//! Where a process offers its sockets: a file in a directory that only its user can enter.
//!
//! Not an abstract name: those have no permissions, and anybody on the machine could take the name first.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, Stat, flock, fstat, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, bind};
use rustix::process::geteuid;

use crate::handover::error::Error;

/// The place. The directory stays open, so that what was checked is what is used, whatever happens to its path.
#[derive(Debug)]
pub(crate) struct Place {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Place {
    /// Opens the directory of `path`, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory is a symbolic link, belongs to another user, or lets others enter.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::NoName { path: path.display().to_string() });
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let shown = || parent.display().to_string();
        let failed = |error: Errno| Error::Directory { path: shown(), source: error.into() };
        match mkdirat(CWD, parent, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed(error)),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::PATH | OFlags::CLOEXEC;
        let directory = openat(CWD, parent, flags, Mode::empty()).map_err(failed)?;
        let stat = fstat(&directory).map_err(failed)?;
        if stat.st_uid != geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            return Err(Error::NotPrivate { path: shown() });
        }
        Ok(Self { directory, name: name.to_owned(), path: path.to_owned() })
    }

    /// For messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The address of the socket.
    pub(super) fn address(&self) -> Result<SocketAddrUnix, Error> {
        self.address_of(&self.name)
    }

    /// Through the open directory: the path is short, and nobody can put another directory in its place.
    fn address_of(&self, name: &OsString) -> Result<SocketAddrUnix, Error> {
        let path = Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(name);
        SocketAddrUnix::new(path).map_err(|_| Error::NoName { path: self.path.display().to_string() })
    }

    /// Binds `socket` beside the name, so that nobody finds it before it listens.
    pub(super) fn stand(&self, socket: &OwnedFd) -> Result<Standing, Error> {
        let beside = OsString::from(format!(".{}", std::process::id()));
        let directory = self.directory.try_clone()?;
        // The file of an earlier process with this number.
        let _ = unlinkat(&directory, &beside, AtFlags::empty());
        bind(socket, &self.address_of(&beside)?).map_err(io::Error::from)?;
        let file = statat(&directory, &beside, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
        Ok(Standing { directory, beside, name: self.name.clone(), file })
    }
}

/// The file of a socket. It is removed when this is dropped, unless another process has taken the name.
#[derive(Debug)]
pub(super) struct Standing {
    directory: OwnedFd,
    beside: OsString,
    name: OsString,
    file: Stat,
}

impl Standing {
    /// Gives the file its name, in place of one that is there.
    pub(super) fn publish(&self) -> Result<(), Error> {
        let _alone = self.alone();
        Ok(renameat(&self.directory, &self.beside, &self.directory, &self.name).map_err(io::Error::from)?)
    }

    /// Removes the file, unless another process has taken the name.
    pub(super) fn remove(&self) {
        // Without the lock, another process could take the name after it was looked at, and would lose it.
        let _alone = self.alone();
        for name in [&self.beside, &self.name] {
            let there = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
            if there.is_ok_and(|there| (there.st_dev, there.st_ino) == (self.file.st_dev, self.file.st_ino)) {
                let _ = unlinkat(&self.directory, name, AtFlags::empty());
            }
        }
    }

    /// While the result is open, no other process changes who has the name. Each holds it for a few system calls only.
    fn alone(&self) -> Option<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        // An own description: locks of one description do not exclude each other.
        let directory = openat(&self.directory, ".", flags, Mode::empty()).ok()?;
        rustix::io::retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive)).ok()?;
        Some(directory)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.remove();
    }
}

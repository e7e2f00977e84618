//! Opens files below a directory, and never one outside of it (attacks P-21, P-23).
//!
//! The kernel keeps the way below the directory: `openat2` with `RESOLVE_BENEATH` (Linux 5.6). Where there is no such call, [`walk`] goes the
//! same way step by step. Symbolic links are followed as long as they stay below the directory: a volume of Kubernetes has its files
//! behind the link `..data`. A link with an absolute address is not followed, even if it leads back.
//!
//! What is said of a file (its kind, size and times) is said of the opened file. So no file can take its place in between.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat, readlinkat};
use rustix::io::Errno;

/// A directory whose files are served, for one request. It is opened anew for each one, so that a directory or a link that
/// has taken its place is seen at once, and all files of one answer are from the same one.
#[derive(Debug)]
pub(super) struct Tree(OwnedFd);

/// What has a name.
#[derive(Debug)]
pub(super) enum Entry {
    File(Opened),
    Directory,
}

/// A regular file that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// Why there is no entry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing has that name.
    #[error("there is no such file")]
    Nothing,
    /// The name leads to something that is not served.
    #[error("{0}")]
    NotServed(&'static str),
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

/// How often a lookup is tried again that a renamed directory has disturbed (openat2(2), `EAGAIN`).
#[cfg(target_os = "linux")]
const TRIES: usize = 8;
/// As many as Linux follows (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Opening a pipe does not wait for a writer, and a terminal does not become ours.
const FOR_READING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
#[cfg(target_os = "linux")]
const TO_PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const TO_PASS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    /// Opens the directory.
    ///
    /// # Errors
    ///
    /// Also if it is no directory.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self(open(directory, TO_PASS, Mode::empty())?))
    }

    /// Opens what has that name below the directory. An empty name is the directory itself.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(super) fn entry(&self, name: &str) -> Result<Entry, Error> {
        if name.is_empty() {
            return Ok(Entry::Directory);
        }
        let opened = match beneath(self.0.as_fd(), name, FOR_READING) {
            // To list a directory needs more than to go through it, and nothing is listed.
            Err(Errno::ACCESS) if beneath(self.0.as_fd(), name, TO_PASS).is_ok() => return Ok(Entry::Directory),
            opened => opened.map_err(Error::of)?,
        };
        let file = File::from(opened);
        let metadata = file.metadata().map_err(Error::Unreadable)?;
        if metadata.is_dir() {
            return Ok(Entry::Directory);
        }
        if !metadata.is_file() {
            return Err(Error::NotServed("it is a pipe, a socket or a device"));
        }
        Ok(Entry::File(Opened { file, metadata }))
    }
}

impl Error {
    fn of(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Self::Nothing,
            Errno::LOOP => Self::NotServed("its symbolic links lead in a circle"),
            Errno::XDEV => Self::NotServed("a symbolic link leads out of the directory"),
            // A socket, or a device without its driver.
            Errno::NXIO | Errno::NODEV => Self::NotServed("it is a pipe, a socket or a device"),
            error => Self::Unreadable(error.into()),
        }
    }
}

#[cfg(target_os = "linux")]
fn beneath(root: BorrowedFd<'_>, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(root, name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            // An old kernel, or a sandbox that does not know the call. If the file itself is forbidden, the other way says so, too.
            Err(Errno::NOSYS | Errno::PERM) => break,
            done => return done,
        }
    }
    walk(root, name, flags)
}

#[cfg(not(target_os = "linux"))]
fn beneath(root: BorrowedFd<'_>, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    walk(root, name, flags)
}

/// Goes to a name step by step. No step follows a symbolic link by itself: what the link says is read, and gone in steps as well.
/// `..` leads back to the directory that was opened before, so no renamed directory can lead it out.
fn walk(root: BorrowedFd<'_>, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let (mut passed, mut links): (Vec<OwnedFd>, usize) = (Vec::new(), 0);
    let mut ahead = Vec::new();
    put(&mut ahead, OsStr::new(name));
    while let Some(step) = ahead.pop() {
        if step == ".." {
            passed.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let at = passed.last().map_or(root, |directory| directory.as_fd());
        let how = if ahead.is_empty() { flags } else { TO_PASS };
        match openat(at, &step, how | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(opened) if ahead.is_empty() => return Ok(opened),
            Ok(directory) => passed.push(directory),
            Err(refused @ (Errno::LOOP | Errno::NOTDIR | Errno::MLINK)) => {
                // Not a link: what `openat` has said.
                let target = readlinkat(at, &step, Vec::new()).map_err(|_| refused)?;
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP);
                }
                let target = OsString::from_vec(target.into_bytes());
                if target.as_bytes().starts_with(b"/") {
                    return Err(Errno::XDEV);
                }
                put(&mut ahead, &target);
            }
            Err(error) => return Err(error),
        }
    }
    // The way has ended with `..`, in a directory.
    openat(passed.last().map_or(root, |directory| directory.as_fd()), ".", flags, Mode::empty())
}

/// Puts the steps of a path before those that are still to go.
fn put(ahead: &mut Vec<OsString>, path: &OsStr) {
    let steps = path.as_bytes().split(|byte| *byte == b'/').filter(|step| !matches!(*step, b"" | b"."));
    ahead.extend(steps.rev().map(|step| OsStr::from_bytes(step).to_owned()));
}

#[cfg(test)]
mod tests;

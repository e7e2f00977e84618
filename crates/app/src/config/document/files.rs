//! The files that a configuration consists of: the file itself, and those that it names. All of them are read here.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::crypto::octets;

/// The files that were read, in order, for one attempt to load a configuration.
#[derive(Debug, Default)]
pub(crate) struct Files(Mutex<Vec<NamedFile>>);

/// One file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    /// `None` if the file could not be opened.
    pub(crate) stamp: Option<Stamp>,
    /// SHA-256 of the content, or of the stamp of a large file. `None` if it could not be read.
    digest: Option<[u8; 32]>,
}

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// That of the file that `path` leads to now, through any symbolic links. `None` if there is none.
    pub(crate) fn now(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }
}

impl NamedFile {
    /// A file that could not be read.
    pub(crate) fn unread(path: &Path) -> Self {
        Self { path: path.to_owned(), stamp: Stamp::now(path), digest: None }
    }

    /// Whether both have the same content.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Files {
    /// Reads a file of at most `bytes_max` bytes, and remembers it.
    ///
    /// # Errors
    ///
    /// Also returns an error for what is not a regular file, because a pipe could block and a device could be endless.
    pub(crate) fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut file = NamedFile { path: path.to_owned(), stamp: None, digest: None };
        let content = read(path, bytes_max, &mut file.stamp);
        file.digest = content.as_ref().ok().map(|bytes| octets::sha256(bytes));
        self.remember(file);
        content
    }

    /// Remembers a file that is too large to be read. It has changed if it was replaced or written to.
    pub(crate) fn watch(&self, path: &Path) {
        let stamp = Stamp::now(path);
        let digest = stamp.map(|stamp| octets::sha256(format!("{stamp:?}").as_bytes()));
        self.remember(NamedFile { path: path.to_owned(), stamp, digest });
    }

    fn remember(&self, file: NamedFile) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.path != file.path);
        all.push(file);
    }

    /// All files so far.
    pub(crate) fn all(&self) -> Vec<NamedFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(path: &Path, bytes_max: u64, stamp: &mut Option<Stamp>) -> io::Result<Vec<u8>> {
    // Otherwise opening a pipe would wait for a writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    // Of what was opened: the path may lead to another file by now.
    let metadata = file.metadata()?;
    *stamp = Some(Stamp::of(&metadata));
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {}", size(bytes_max))));
    }
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1024 * 1024) { format!("{} MiB", bytes / (1024 * 1024)) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::temporary_directory;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let directory = temporary_directory("files");
        let (path, files) = (directory.join("a"), Files::default());
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(files.read(&path, 5).unwrap(), b"12345");
        assert_eq!(files.read(&path, 4).unwrap_err().to_string(), "it is larger than 4 bytes");
        assert!(files.read(&directory.join("none"), 5).is_err());
        assert_eq!(files.read(&directory, 5).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let all: Vec<_> = files.all().into_iter().map(|file| (file.stamp.is_some(), file.digest.is_some())).collect();
        assert_eq!(all, [(true, false), (false, false), (true, false)], "the second reading of a file counts");
    }

    #[test]
    fn a_pipe_and_a_device_are_no_files() {
        let directory = temporary_directory("pipe");
        let pipe = directory.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [&pipe, Path::new("/dev/zero")] {
            let error = Files::default().read(path, 5).unwrap_err();
            assert_eq!(error.to_string(), "it is not a regular file", "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_was_replaced_has_another_stamp_through_a_link_as_well() {
        let directory = temporary_directory("stamps");
        let (one, other, link) = (directory.join("one"), directory.join("other"), directory.join("link"));
        std::fs::write(&one, "same").unwrap();
        std::fs::write(&other, "same").unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        let (files, later) = (Files::default(), Files::default());
        files.read(&link, 10).unwrap();
        assert_eq!(files.all()[0].stamp, Stamp::now(&link));
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert_ne!(files.all()[0].stamp, Stamp::now(&link));
        later.read(&link, 10).unwrap();
        assert!(files.all()[0].is_like(&later.all()[0]), "the content is the same");
    }

    #[test]
    fn a_large_file_has_changed_when_it_was_replaced() {
        let directory = temporary_directory("watched");
        let path = directory.join("large");
        let watched = || {
            let files = Files::default();
            files.watch(&path);
            files.all().remove(0)
        };
        assert_eq!(watched(), NamedFile::unread(&path));
        std::fs::write(&path, "same").unwrap();
        let before = watched();
        assert!(before.is_like(&watched()) && !before.is_like(&NamedFile::unread(&path)));
        let next = directory.join("next");
        std::fs::write(&next, "same").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert!(!before.is_like(&watched()));
    }
}

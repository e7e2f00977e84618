//! The file, opened. Start at [`BreachList::contains`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::credential::breach::format::{ENTRY_BYTES, HEADER_BYTES, MAGIC, prefix};
use crate::credential::breach::search;
use crate::credential::password::normal;
use crate::secret::Secret;

/// The file. It stays open, so that a lookup does not fail because the file was moved. A new file counts after a reload.
#[derive(Clone, Debug)]
pub struct BreachList {
    path: Arc<Path>,
    file: Arc<File>,
    entries: u64,
}

/// Why a file is none of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file `{path}` cannot be read: {source}", path = .0.display(), source = .1)]
    Read(PathBuf, io::Error),
    /// It does not begin as one.
    #[error("the file `{}` is not a list of breached passwords", .0.display())]
    Foreign(PathBuf),
    /// It has more or fewer bytes than its entries.
    #[error("the file `{path}` is cut off or damaged: it has {found} bytes, and {entries} entries need {expected}", path = .path.display())]
    Length { path: PathBuf, entries: u64, found: u64, expected: u128 },
    /// Its entries do not ascend.
    #[error("the file `{}` is damaged: its entries are not in order", .0.display())]
    Order(PathBuf),
}

impl PartialEq for BreachList {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.entries == other.entries
    }
}

impl Eq for BreachList {}

impl BreachList {
    /// Opens a file, and looks at some of its entries.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unread = |error| Error::Read(path.to_owned(), error);
        // Opening a pipe would wait for a writer.
        if !path.metadata().map_err(unread)?.is_file() {
            return Err(Error::Foreign(path.to_owned()));
        }
        let file = File::open(path).map_err(unread)?;
        let metadata = file.metadata().map_err(unread)?;
        let mut header = [0; HEADER_BYTES as usize];
        if metadata.len() < HEADER_BYTES {
            return Err(Error::Foreign(path.to_owned()));
        }
        file.read_exact_at(&mut header, 0).map_err(unread)?;
        let (magic, count) = header.split_first_chunk().expect("16 bytes");
        if *magic != MAGIC {
            return Err(Error::Foreign(path.to_owned()));
        }
        let entries = u64::from_be_bytes(count.try_into().expect("8 bytes"));
        let expected = u128::from(entries) * u128::from(ENTRY_BYTES) + u128::from(HEADER_BYTES);
        if u128::from(metadata.len()) != expected {
            return Err(Error::Length { path: path.to_owned(), entries, found: metadata.len(), expected });
        }
        let list = Self { path: path.into(), file: Arc::new(file), entries };
        if search::is_sorted_in_places(entries, |at| list.entry(at)).map_err(unread)? {
            Ok(list)
        } else {
            Err(Error::Order(path.to_owned()))
        }
    }

    /// Whether attackers know the password. Reads the disk a few times, so call it on the blocking pool.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub(crate) fn contains(&self, password: &Secret<String>) -> Result<bool, io::Error> {
        // The list has what people typed elsewhere. Most of it is ASCII, where both are the same.
        let normal = normal(password);
        let is_known = self.has(prefix(normal.expose().as_bytes()))?;
        Ok(is_known || (normal != *password && self.has(prefix(password.expose().as_bytes()))?))
    }

    fn has(&self, wanted: u64) -> Result<bool, io::Error> {
        search::find(self.entries, wanted, |first, block| {
            let bytes = &mut [0; search::BLOCK * ENTRY_BYTES as usize][..block.len() * ENTRY_BYTES as usize];
            self.file.read_exact_at(bytes, HEADER_BYTES + first * ENTRY_BYTES)?;
            for (entry, bytes) in block.iter_mut().zip(bytes.chunks_exact(ENTRY_BYTES as usize)) {
                *entry = u64::from_be_bytes(bytes.try_into().expect("8 bytes"));
            }
            Ok(())
        })
    }

    fn entry(&self, at: u64) -> Result<u64, io::Error> {
        let mut bytes = [0; ENTRY_BYTES as usize];
        self.file.read_exact_at(&mut bytes, HEADER_BYTES + at * ENTRY_BYTES)?;
        Ok(u64::from_be_bytes(bytes))
    }
}

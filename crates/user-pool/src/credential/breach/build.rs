//! Makes a list from downloads that do not fit into memory: sorts parts of them, writes each part to a file, and merges the parts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroize as _;

use crate::credential::breach::format::{ENTRY_BYTES, HEADER_BYTES, MAGIC, prefix};
use crate::credential::password::PASSWORD_MAX_BYTES;
use crate::crypto::octets;

/// Entries that are sorted in memory: 64 MiB. The passwords of Have I Been Pwned, 10⁹, are 120 parts.
pub const ENTRIES_IN_MEMORY: usize = 8 << 20;
/// Maximum length of a line. A longer one is no hash and no password.
const LINE_MAX: u64 = 4096;
/// Digits of a SHA-1 in hexadecimal, and of those that the name of a file has if the file has the rest.
const SHA1_DIGITS: usize = 40;
const RANGE_DIGITS: usize = 5;

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// `SHA1:COUNT`, or `SHA1` alone. In a file whose name is the first five digits, the rest of them. Those that were seen less often than this
    /// are left out; a line without a number counts as one.
    Hashes { min_count: u64 },
    /// Passwords.
    Plain,
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    /// Lines that were seen too seldom.
    pub rare: u64,
    /// Different passwords in the list.
    pub entries: u64,
}

/// Why no list was made. The file of before is there as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{path}` cannot be read: {source}", path = .0.display(), source = .1)]
    Read(PathBuf, io::Error),
    #[error("`{path}` cannot be written: {source}", path = .0.display(), source = .1)]
    Write(PathBuf, io::Error),
    /// A line is not what the lines are said to be. The line itself may be a password.
    #[error("line {line} of `{path}` is not a SHA-1 and a number, as `5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493`", path = .path.display())]
    Line { path: PathBuf, line: u64 },
}

/// Collects entries, and writes the list at the end.
#[derive(Debug)]
pub struct Builder {
    out: PathBuf,
    in_memory: Vec<u64>,
    in_memory_max: usize,
    parts: Vec<File>,
    counts: Counts,
}

impl Builder {
    /// Of a list at `out`, where a list may be already. Beside it are files as large as the list while it is made.
    pub fn new(out: &Path, in_memory_max: usize) -> Self {
        let in_memory_max = in_memory_max.max(1);
        Self { out: out.to_owned(), in_memory: Vec::new(), in_memory_max, parts: Vec::new(), counts: Counts::default() }
    }

    /// Reads a file. `read` is told how many bytes of it were read since it was told last.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn add(&mut self, path: &Path, lines: Lines, mut read: impl FnMut(u64)) -> Result<(), Error> {
        let unread = |error| Error::Read(path.to_owned(), error);
        let mut input = BufReader::with_capacity(1 << 20, File::open(path).map_err(unread)?);
        let range = range_of(path);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.zeroize();
            let bytes = input.by_ref().take(LINE_MAX + 1).read_until(b'\n', &mut line).map_err(unread)? as u64;
            if bytes == 0 {
                return Ok(());
            }
            read(bytes);
            number += 1;
            let malformed = || Error::Line { path: path.to_owned(), line: number };
            if bytes > LINE_MAX && lines != Lines::Plain {
                return Err(malformed());
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            self.counts.lines += 1;
            match lines {
                // Nobody can have a longer one. The rest of the line comes as another.
                Lines::Plain if text.len() > PASSWORD_MAX_BYTES => self.counts.rare += 1,
                Lines::Plain => self.push(prefix(text))?,
                Lines::Hashes { min_count } => match entry(text, range).ok_or_else(malformed)? {
                    (_, count) if count < min_count => self.counts.rare += 1,
                    (entry, _) => self.push(entry)?,
                },
            }
        }
    }

    fn push(&mut self, entry: u64) -> Result<(), Error> {
        if self.in_memory.len() == self.in_memory_max {
            self.write_part().map_err(|error| Error::Write(self.out.clone(), error))?;
        }
        self.in_memory.push(entry);
        Ok(())
    }

    fn write_part(&mut self) -> io::Result<()> {
        self.in_memory.sort_unstable();
        self.in_memory.dedup();
        let (file, path) = beside(&self.out)?;
        // Without a name: whatever happens, nothing is left behind.
        std::fs::remove_file(path)?;
        let mut part = BufWriter::with_capacity(1 << 20, file);
        for entry in self.in_memory.drain(..) {
            part.write_all(&entry.to_be_bytes())?;
        }
        let mut file = part.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.parts.push(file);
        Ok(())
    }

    /// Writes the list, and puts it in the place of the one that is there. `merged` is told how many entries were read of `total` since it was told
    /// last.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn finish(mut self, merged: impl FnMut(u64)) -> Result<Counts, Error> {
        let out = self.out.clone();
        self.write(merged).map_err(|error| Error::Write(out, error))
    }

    fn write(&mut self, mut merged: impl FnMut(u64)) -> io::Result<Counts> {
        if !self.in_memory.is_empty() {
            self.write_part()?;
        }
        let (file, path) = beside(&self.out)?;
        let unfinished = Unfinished(&path);
        let mut list = BufWriter::with_capacity(1 << 20, file);
        list.write_all(&[0; HEADER_BYTES as usize])?;
        // A small buffer each: there may be hundreds of parts.
        let mut parts: Vec<_> = self.parts.drain(..).map(|part| BufReader::with_capacity(64 << 10, part)).collect();
        let mut first = BinaryHeap::new();
        for (index, part) in parts.iter_mut().enumerate() {
            first.extend(next(part)?.map(|entry| Reverse((entry, index))));
        }
        let mut last = None;
        while let Some(Reverse((entry, index))) = first.pop() {
            first.extend(next(&mut parts[index])?.map(|entry| Reverse((entry, index))));
            merged(1);
            if last != Some(entry) {
                list.write_all(&entry.to_be_bytes())?;
                self.counts.entries += 1;
            }
            last = Some(entry);
        }
        let mut file = list.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&MAGIC)?;
        file.write_all(&self.counts.entries.to_be_bytes())?;
        file.sync_all()?;
        std::fs::rename(&path, &self.out)?;
        // Nothing has this name any more.
        drop(unfinished);
        File::open(parent(&self.out))?.sync_all()?;
        Ok(self.counts)
    }

    /// Entries that were collected, the same one several times.
    pub fn collected(&self) -> u64 {
        self.counts.lines - self.counts.rare
    }
}

/// A file that is removed if it is not finished.
struct Unfinished<'p>(&'p Path);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn next(part: &mut impl Read) -> io::Result<Option<u64>> {
    let mut bytes = [0; ENTRY_BYTES as usize];
    match part.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(u64::from_be_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new file in the directory of `out`.
fn beside(out: &Path) -> io::Result<(File, PathBuf)> {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let path = parent(out).join(format!(".{name}.{}", octets::token()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    Ok((file, path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The first five digits of the hashes in a file, if its name says them: `21BD1` or `21BD1.txt`.
fn range_of(path: &Path) -> Option<[u8; RANGE_DIGITS]> {
    let digits: [u8; RANGE_DIGITS] = path.file_stem()?.as_encoded_bytes().try_into().ok()?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)
}

/// The entry of a line, and how often it was seen.
fn entry(line: &[u8], range: Option<[u8; RANGE_DIGITS]>) -> Option<(u64, u64)> {
    let line = std::str::from_utf8(line).ok()?;
    let (digits, count) = match line.split_once(':') {
        Some((digits, count)) => (digits, count.trim().parse().ok()?),
        None => (line, 1),
    };
    let mut hash = [0; SHA1_DIGITS];
    let rest = match (digits.len(), range) {
        (SHA1_DIGITS, _) => &mut hash[..],
        (length, Some(range)) if length == SHA1_DIGITS - RANGE_DIGITS => {
            let (start, rest) = hash.split_at_mut(RANGE_DIGITS);
            start.copy_from_slice(&range);
            rest
        }
        _ => return None,
    };
    rest.copy_from_slice(digits.as_bytes());
    let hash = std::str::from_utf8(&hash).ok().filter(|hash| hash.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    Some((u64::from_str_radix(&hash[..2 * ENTRY_BYTES as usize], 16).ok()?, count))
}

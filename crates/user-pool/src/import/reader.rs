//! Reads a file of any of the formats.

use std::io::{self, BufRead};

use crate::import::json_lines;
use crate::import::lines::{LINE_MAX, Lines};
use crate::import::row::{Fault, Item};
use crate::import::table::{Dialect, HeaderFault, Table};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table(Dialect),
    JsonLines,
}

/// A file that is read.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    /// `None`: lines of JSON.
    table: Option<Table>,
}

/// One record: the number of its first line, and what it says.
pub type Numbered = (u64, Result<Item, Fault>);

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Header(#[from] HeaderFault),
    #[error("the file is empty")]
    Empty,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line of a table.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn new(format: Format, input: R) -> Result<Self, Error> {
        let mut lines = Lines::new(input);
        let table = match format {
            Format::JsonLines => None,
            Format::Table(dialect) => {
                let header = lines.next()?.ok_or(Error::Empty)?.map_err(HeaderFault::from)?;
                Some(Table::parse(dialect, &header)?)
            }
        };
        Ok(Self { lines, table })
    }

    /// Bytes that were read since the last call.
    pub fn take_bytes(&mut self) -> u64 {
        self.lines.take_bytes()
    }

    /// The next record. Empty lines are none. `None` at the end.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn record(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let number = self.lines.number();
            let item = match (line, &self.table) {
                (Err(fault), _) => Err(fault),
                (Ok(line), _) if line.trim().is_empty() => continue,
                (Ok(line), None) => json_lines::item(&line),
                (Ok(line), Some(table)) => {
                    let record = whole(&mut self.lines, table, line)?;
                    record.and_then(|record| table.row(&record)).map(|row| Item::User(Box::new(row)))
                }
            };
            return Ok(Some((number, item)));
        }
    }
}

/// A record with the lines that belong to it.
fn whole<R: BufRead>(lines: &mut Lines<R>, table: &Table, mut record: String) -> io::Result<Result<String, Fault>> {
    while table.is_open(&record) {
        match lines.next()? {
            None => return Ok(Err(Fault::Quote)),
            Some(Err(fault)) => return Ok(Err(fault)),
            Some(Ok(_)) if record.len() > LINE_MAX => return Ok(Err(Fault::TooLong(LINE_MAX))),
            Some(Ok(line)) => {
                record.push('\n');
                record.push_str(&line);
            }
        }
    }
    Ok(Ok(record))
}

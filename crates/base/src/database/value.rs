//! Values of statements and rows.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};

use crate::clock::Timestamp;
use crate::database::error::Error;

/// A value that is given to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'v> {
    /// No value.
    Null,
    /// A number, a truth value (0 or 1), or a time in milliseconds since the Unix epoch.
    Integer(i64),
    /// Text.
    Text(&'v str),
    /// Bytes.
    Blob(&'v [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Integer(value.millis().try_into().unwrap_or(i64::MAX))
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value)
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(value)
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'v> From<&'v Vec<u8>> for Value<'v> {
    fn from(value: &'v Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

/// A row of a result. Each method takes a value out of a column, counted from 0, and fails if the column has another type.
#[derive(Debug)]
pub struct Row(Vec<Owned>);

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Self> {
        (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>().map(Self)
    }

    /// Text.
    pub fn text(&mut self, column: usize) -> Result<String, Error> {
        match self.take(column) {
            Owned::Text(text) => Ok(text),
            other => Err(unexpected(column, "text", &other)),
        }
    }

    /// Text, or nothing.
    pub fn optional_text(&mut self, column: usize) -> Result<Option<String>, Error> {
        match self.take(column) {
            Owned::Null => Ok(None),
            Owned::Text(text) => Ok(Some(text)),
            other => Err(unexpected(column, "text", &other)),
        }
    }

    /// Bytes.
    pub fn blob(&mut self, column: usize) -> Result<Vec<u8>, Error> {
        match self.take(column) {
            Owned::Blob(bytes) => Ok(bytes),
            other => Err(unexpected(column, "bytes", &other)),
        }
    }

    /// Bytes, or nothing.
    pub fn optional_blob(&mut self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.take(column) {
            Owned::Null => Ok(None),
            Owned::Blob(bytes) => Ok(Some(bytes)),
            other => Err(unexpected(column, "bytes", &other)),
        }
    }

    /// A number.
    pub fn integer(&mut self, column: usize) -> Result<i64, Error> {
        match self.take(column) {
            Owned::Integer(number) => Ok(number),
            other => Err(unexpected(column, "a number", &other)),
        }
    }

    /// A number, or nothing.
    pub fn optional_integer(&mut self, column: usize) -> Result<Option<i64>, Error> {
        match self.take(column) {
            Owned::Null => Ok(None),
            Owned::Integer(number) => Ok(Some(number)),
            other => Err(unexpected(column, "a number", &other)),
        }
    }

    /// A truth value.
    pub fn boolean(&mut self, column: usize) -> Result<bool, Error> {
        self.integer(column).map(|number| number != 0)
    }

    /// A time.
    pub fn timestamp(&mut self, column: usize) -> Result<Timestamp, Error> {
        self.integer(column).map(timestamp)
    }

    /// A time, or nothing.
    pub fn optional_timestamp(&mut self, column: usize) -> Result<Option<Timestamp>, Error> {
        Ok(self.optional_integer(column)?.map(timestamp))
    }

    fn take(&mut self, column: usize) -> Owned {
        self.0.get_mut(column).map_or(Owned::Null, |value| std::mem::replace(value, Owned::Null))
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.try_into().unwrap_or(0))
}

fn unexpected(column: usize, expected: &'static str, found: &Owned) -> Error {
    let found = match found {
        Owned::Null => "nothing",
        Owned::Integer(_) => "a number",
        Owned::Real(_) => "a fraction",
        Owned::Text(_) => "text",
        Owned::Blob(_) => "bytes",
    };
    Error::Unexpected { column, expected, found }
}

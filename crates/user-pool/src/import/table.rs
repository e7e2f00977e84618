//! Files whose first line has the names of the columns: Cognito's (pool §14.1), and CSV as of RFC 4180.

use crate::directory::attribute::STANDARD;
use crate::import::row::{Fault, Row};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// No quotes: `\,` is a comma. A date of birth is `mm/dd/yyyy`, and each user without a password has a verified address.
    Cognito,
    /// A field may be in quotes, and two quotes in it are one.
    Rfc4180,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Username,
    Subject,
    PasswordHash,
    /// Names of groups, separated by `|`.
    Groups,
    /// Whether SMS is the second factor. Users set up second factors anew.
    MfaEnabled,
    Attribute(String),
}

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    dialect: Dialect,
    columns: Vec<Column>,
}

/// What is wrong with the first line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    #[error("the first line has an unknown column `{0}`")]
    Unknown(String),
    #[error("the first line has `{0}` twice")]
    Twice(String),
    #[error("the first line has no column `cognito:username` or `username`")]
    NoUsername,
    #[error("the first line cannot be read: {0}")]
    Unreadable(#[from] Fault),
}

impl Table {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// See [`HeaderFault`].
    pub(crate) fn parse(dialect: Dialect, header: &str) -> Result<Self, HeaderFault> {
        let mut columns = Vec::new();
        for name in fields(dialect, header)? {
            let column = column(name.trim()).ok_or_else(|| HeaderFault::Unknown(name.trim().to_owned()))?;
            if columns.contains(&column) {
                return Err(HeaderFault::Twice(name));
            }
            columns.push(column);
        }
        if columns.contains(&Column::Username) { Ok(Self { dialect, columns }) } else { Err(HeaderFault::NoUsername) }
    }

    /// Whether the record goes on in the next line, because a quote is open.
    pub(crate) fn is_open(&self, record: &str) -> bool {
        self.dialect == Dialect::Rfc4180 && record.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) fn row(&self, record: &str) -> Result<Row, Fault> {
        let fields = fields(self.dialect, record)?;
        if fields.len() != self.columns.len() {
            return Err(Fault::Fields { found: fields.len(), expected: self.columns.len() });
        }
        let mut row = Row::named(String::new());
        for (column, field) in self.columns.iter().zip(fields) {
            let field = field.trim();
            match column {
                Column::Username => field.clone_into(&mut row.username),
                Column::Subject => row.subject = Some(field.to_owned()).filter(|subject| !subject.is_empty()),
                Column::PasswordHash if field.is_empty() => {}
                Column::PasswordHash => row.password_hash = Some(crate::secret::Secret::new(field.to_owned())),
                Column::Groups => {
                    row.groups = field.split('|').filter(|group| !group.is_empty()).map(str::to_owned).collect();
                }
                Column::MfaEnabled => self.mfa_enabled(field)?,
                Column::Attribute(_) if field.is_empty() => {}
                Column::Attribute(name) => row.attributes.push((name.clone(), self.value(name, field)?)),
            }
        }
        if row.username.is_empty() {
            return Err(Fault::Missing("cognito:username"));
        }
        if self.dialect == Dialect::Cognito && row.password_hash.is_none() && !has_verified(&row) {
            return Err(Fault::NothingVerified);
        }
        Ok(row)
    }

    fn mfa_enabled(&self, field: &str) -> Result<(), Fault> {
        let is_known = field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false");
        let may_be_empty = self.dialect == Dialect::Rfc4180 && field.is_empty();
        let name = "cognito:mfa_enabled".to_owned();
        if is_known || may_be_empty { Ok(()) } else { Err(Fault::Form { name, expected: "true or false" }) }
    }

    /// The value of an attribute as we have it.
    fn value(&self, name: &str, field: &str) -> Result<String, Fault> {
        if name != "birthdate" || self.dialect != Dialect::Cognito {
            return Ok(field.to_owned());
        }
        let fault = || Fault::Form { name: name.to_owned(), expected: "a date like 01/31/1990" };
        match &field.split('/').collect::<Vec<_>>()[..] {
            [month, day, year] if month.len() == 2 && day.len() == 2 && year.len() == 4 => {
                Ok(format!("{year}-{month}-{day}"))
            }
            _ => Err(fault()),
        }
    }
}

fn column(name: &str) -> Option<Column> {
    Some(match name {
        "cognito:username" | "username" => Column::Username,
        "sub" => Column::Subject,
        "password_hash" | "cognito:password_hash" => Column::PasswordHash,
        "groups" => Column::Groups,
        "cognito:mfa_enabled" => Column::MfaEnabled,
        name if STANDARD.contains(&name) || name.starts_with("custom:") => Column::Attribute(name.to_owned()),
        _ => return None,
    })
}

fn has_verified(row: &Row) -> bool {
    let value = |wanted: &str| row.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let is_verified = |name: &str, verdict: &str| {
        value(name).is_some() && value(verdict).is_some_and(|verdict| verdict.eq_ignore_ascii_case("true"))
    };
    is_verified("email", "email_verified") || is_verified("phone_number", "phone_number_verified")
}

fn fields(dialect: Dialect, record: &str) -> Result<Vec<String>, Fault> {
    match dialect {
        Dialect::Cognito => Ok(escaped(record)),
        Dialect::Rfc4180 => quoted(record),
    }
}

/// Fields with `\,` for a comma. Any other `\` is itself.
fn escaped(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = record.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut();
        match letter {
            ',' => fields.push(String::new()),
            '\\' if letters.next_if_eq(&',').is_some() => field.into_iter().for_each(|field| field.push(',')),
            other => field.into_iter().for_each(|field| field.push(other)),
        }
    }
    fields
}

/// Fields of RFC 4180 §2.
fn quoted(record: &str) -> Result<Vec<String>, Fault> {
    let (mut fields, mut field, mut rest) = (Vec::new(), String::new(), record);
    loop {
        if let Some(inner) = rest.strip_prefix('"') {
            rest = inner;
            loop {
                let (text, after) = rest.split_once('"').ok_or(Fault::Quote)?;
                field.push_str(text);
                rest = after;
                let Some(after) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = after;
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(Fault::Quote);
            }
        } else {
            let text = rest.split(',').next().unwrap_or_default();
            if text.contains('"') {
                return Err(Fault::Quote);
            }
            field.push_str(text);
            rest = &rest[text.len()..];
        }
        fields.push(std::mem::take(&mut field));
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

#[cfg(test)]
mod tests;

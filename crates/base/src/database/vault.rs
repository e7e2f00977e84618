//! Encrypts single columns: what a copy of the file must not give away, such as the seeds of one-time passwords.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::crypto::aead::{self, Key};
use crate::database::error::{Error, OpenError};
use crate::database::transaction::Transaction;
use crate::secret::Secret;

/// The keys of encrypted columns. The first encrypts, every key can decrypt. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault(Arc<[Key]>);

/// Where an encrypted value is. It does not open anywhere else, so nobody can move it to another row.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    pub table: &'static str,
    pub column: &'static str,
    /// What the row is found by.
    pub row: &'p [&'p str],
}

impl Place<'_> {
    /// Each part with its length, so that no two places have the same text.
    fn associated(&self) -> Vec<u8> {
        let mut all = b"vestibule database".to_vec();
        for part in [self.table, self.column].iter().chain(self.row) {
            all.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            all.extend_from_slice(part.as_bytes());
        }
        all
    }
}

impl Vault {
    /// At least one key. The first encrypts.
    pub fn new(keys: Arc<[Key]>) -> Self {
        Self(keys)
    }

    /// Encrypts a value for its place.
    pub fn seal(&self, plaintext: &[u8], place: &Place<'_>) -> Vec<u8> {
        self.0[0].seal(plaintext, &place.associated())
    }

    /// Decrypts the value of this place.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`] if it is of another place, was changed, or has no key here.
    pub fn open(&self, sealed: &[u8], place: &Place<'_>) -> Result<Secret<Vec<u8>>, Error> {
        let opened = aead::open(&self.0, sealed, &place.associated());
        opened.map(Secret::new).map_err(|_| Error::Sealed { table: place.table })
    }

    /// Encrypts the value of this place again, with the first key. `None`: that is the key it is encrypted with.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn reseal(&self, sealed: &[u8], place: &Place<'_>) -> Result<Option<Vec<u8>>, Error> {
        if aead::open(&self.0[..1], sealed, &place.associated()).is_ok() {
            return Ok(None);
        }
        let opened = self.open(sealed, place)?;
        Ok(Some(self.seal(opened.expose(), place)))
    }

    /// From now on, the database opens with the first key alone. To be called when nothing is encrypted with another one any more.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub fn renew_probe(&self, on: &mut Transaction<'_>) -> Result<(), Error> {
        let sealed = self.seal(b"", &PROBE);
        on.execute("UPDATE sealed_probe SET sealed = ?1 WHERE id = 1", &[(&sealed).into()]).map(drop)
    }

    /// A keyed hash of a value for its place, for values that are only compared and are too short for a plain hash.
    pub fn authenticate(&self, value: &[u8], place: &Place<'_>) -> Vec<u8> {
        self.0[0].authenticate(&in_place(value, place))
    }

    /// Whether `code` is the keyed hash of this value in this place, by any of the keys. Takes as long for each wrong value of a length.
    pub fn is_authentic(&self, value: &[u8], code: &[u8], place: &Place<'_>) -> bool {
        let message = in_place(value, place);
        self.0.iter().any(|key| key.is_authentic(&message, code))
    }
}

/// The lengths in the text of the place tell where it ends and the value begins, as long as the row always has as many parts.
fn in_place(value: &[u8], place: &Place<'_>) -> Vec<u8> {
    let mut message = place.associated();
    message.extend_from_slice(value);
    message
}

const PROBE: Place<'static> = Place { table: "sealed_probe", column: "sealed", row: &[] };

/// Checks that the keys are those of the database, before anything is written with others.
pub(super) fn check(connection: &Connection, vault: &Vault) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migration { version: 0, source };
    let probe: Option<Vec<u8>> = connection
        .query_row("SELECT sealed FROM sealed_probe WHERE id = 1", (), |row| row.get(0))
        .optional()
        .map_err(failed)?;
    match probe {
        Some(sealed) => vault.open(&sealed, &PROBE).map(drop).map_err(|_| OpenError::WrongKey),
        None => {
            let sealed = vault.seal(b"", &PROBE);
            connection
                .execute("INSERT INTO sealed_probe (id, sealed) VALUES (1, ?1)", params![sealed])
                .map(drop)
                .map_err(failed)
        }
    }
}

//! Encrypts the columns of a database with another key, while it is in use.
//!
//! The new key is the first of `store.key_files`, the former ones follow. Each row says by itself which key it is encrypted with, so a run that was killed
//! goes on where it was.

use std::sync::Arc;

use crate::database::{Database, Error, Place, Transaction, Value, Vault};

/// Rows that are looked at in one transaction. Others write in between.
const AT_A_TIME: i64 = 100;

/// A table with the encrypted column `sealed`. All pools of the file share it.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    table: &'static str,
    /// With `pool`, what the value is bound to.
    row: &'static str,
}

/// Every encrypted column. A test compares it with the tables.
const SEALED: [Sealed; 3] = [
    Sealed { table: "factors", row: "sub" },
    Sealed { table: "keys", row: "kid" },
    Sealed { table: "outbox", row: "id" },
];

/// What became of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They are encrypted with the new key now.
    pub changed: u64,
    /// They were before.
    pub unchanged: u64,
    /// No key opens them. They stay as they are.
    pub unreadable: u64,
}

/// Encrypts the columns of one database with the first key of `vault`.
#[derive(Clone, Debug)]
pub struct Rekey {
    database: Arc<Database>,
    vault: Vault,
}

/// A place in a table: everything up to it was seen.
type Seen = (String, String);

impl Rekey {
    /// `vault` has the new key, and those of before.
    pub fn new(database: Arc<Database>, vault: Vault) -> Self {
        Self { database, vault }
    }

    /// How many values there are.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn total(&self) -> Result<u64, Error> {
        let count = |on: &mut Transaction<'_>| {
            let mut total = 0;
            for Sealed { table, .. } in SEALED {
                let sql = format!("SELECT count(*) FROM {table} WHERE sealed IS NOT NULL");
                let row = on.query_one(&sql, &[])?;
                total += row.map_or(Ok(0), |mut row| row.integer(0))?;
            }
            Ok(u64::try_from(total).unwrap_or(0))
        };
        self.database.read(count).await
    }

    /// Looks at every value once, and calls `done` with the number of those it has looked at since the last time. If no other key is needed any more, the
    /// database opens with the new one alone afterwards.
    ///
    /// # Errors
    ///
    /// If the database fails. What was encrypted with the new key stays so.
    pub async fn run(&self, mut done: impl FnMut(u64)) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        for sealed in SEALED {
            let mut seen = Seen::default();
            loop {
                let (vault, from) = (self.vault.clone(), seen.clone());
                let (some, next) = self.database.write(move |on| sealed.some(on, &vault, &from)).await?;
                counts.changed += some.changed;
                counts.unchanged += some.unchanged;
                counts.unreadable += some.unreadable;
                done(some.changed + some.unchanged + some.unreadable);
                let Some(next) = next else { break };
                seen = next;
            }
        }
        if counts.unreadable == 0 {
            let vault = self.vault.clone();
            self.database.write(move |on| vault.renew_probe(on)).await?;
        }
        Ok(counts)
    }
}

impl Sealed {
    /// Looks at some rows after `seen`. Returns where the next ones begin, if there may be more.
    fn some(self, on: &mut Transaction<'_>, vault: &Vault, seen: &Seen) -> Result<(Counts, Option<Seen>), Error> {
        let Self { table, row } = self;
        let sql = format!(
            "SELECT pool, {row}, sealed FROM {table} WHERE sealed IS NOT NULL AND (pool, {row}) > (?1, ?2) ORDER BY pool, {row} LIMIT ?3"
        );
        let rows = on.query(&sql, &[(&seen.0).into(), (&seen.1).into(), AT_A_TIME.into()])?;
        let (mut counts, mut last) = (Counts::default(), None);
        for mut found in rows {
            let (pool, name, before) = (found.text(0)?, found.text(1)?, found.blob(2)?);
            let place = Place { table, column: "sealed", row: &[&pool, &name] };
            match vault.reseal(&before, &place) {
                Ok(Some(after)) => {
                    let sql = format!("UPDATE {table} SET sealed = ?4 WHERE pool = ?1 AND {row} = ?2 AND sealed = ?3");
                    let values = [Value::from(&pool), (&name).into(), (&before).into(), (&after).into()];
                    on.execute(&sql, &values)?;
                    counts.changed += 1;
                }
                Ok(None) => counts.unchanged += 1,
                Err(_) => counts.unreadable += 1,
            }
            last = Some((pool, name));
        }
        Ok((counts, last))
    }
}

#[cfg(test)]
mod tests;

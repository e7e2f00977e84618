use std::collections::BTreeSet;

use super::*;
use crate::MIGRATIONS;
use crate::clock::Timestamp;
use crate::credential::totp::Seed;
use crate::crypto::aead::Key;
use crate::database::{OpenError, Others};
use crate::factors::Factors;
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn vault(keys: &[u8]) -> Vault {
    Vault::new(keys.iter().map(|byte| Key::new(&Secret::new([*byte; 32]))).collect())
}

fn database(name: &str) -> (Directory, Arc<Database>) {
    let folder = temporary_directory(name);
    let database = Database::open(&folder.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    (folder, Arc::new(database))
}

/// So many users with one-time passwords, in each of two pools. Returns the secret of the first.
async fn fill(database: &Database, keys: &[u8], users: usize) -> Seed {
    let seed = Seed::random();
    for pool in ["people", "staff"] {
        let (factors, seed) = (Factors::new(pool.into(), vault(keys)), seed.clone());
        let filled = database.write(move |on| {
            (0..users).try_for_each(|number| factors.set_totp(on, &format!("u{number:04}"), (&seed, 0), NOW))
        });
        filled.await.expect("filled");
    }
    seed
}

async fn read(database: &Database, keys: &[u8], subject: &'static str) -> Result<Option<Seed>, Error> {
    let factors = Factors::new("people".into(), vault(keys));
    database.read(move |on| factors.totp(on, subject)).await
}

#[tokio::test]
async fn everything_opens_with_the_new_key_alone_and_a_second_run_has_nothing_to_do() {
    let (_folder, database) = database("rekey");
    database.unlock(&vault(&[1])).expect("the first key");
    let seed = fill(&database, &[1], 250).await;
    let rekey = Rekey::new(Arc::clone(&database), vault(&[2, 1]));
    let mut seen = 0;
    assert_eq!(rekey.total().await.expect("counted"), 500);
    let counts = rekey.run(|values| seen += values).await.expect("done");
    assert_eq!((counts, seen), (Counts { changed: 500, ..Counts::default() }, 500));
    assert_eq!(read(&database, &[2], "u0249").await.expect("opened"), Some(seed));
    assert!(read(&database, &[1], "u0249").await.is_err());
    database.unlock(&vault(&[2])).expect("the new key is enough");
    assert!(matches!(database.unlock(&vault(&[1])), Err(OpenError::WrongKey)));
    let again = rekey.run(|_| ()).await.expect("done");
    assert_eq!(again, Counts { unchanged: 500, ..Counts::default() });
}

#[tokio::test]
async fn a_run_that_was_interrupted_goes_on() {
    let (_folder, database) = database("rekey-again");
    database.unlock(&vault(&[1])).expect("the first key");
    fill(&database, &[1], 150).await;
    let rekey = Rekey::new(Arc::clone(&database), vault(&[2, 1]));
    let (from, sealed, keys) = (Seen::default(), SEALED[0], vault(&[2, 1]));
    database.write(move |on| sealed.some(on, &keys, &from)).await.expect("the first rows");
    // Who has not got the new key yet, and who serves with both, read on.
    assert!(read(&database, &[2, 1], "u0000").await.is_ok_and(|seed| seed.is_some()));
    assert!(read(&database, &[2, 1], "u0149").await.is_ok_and(|seed| seed.is_some()));
    let counts = rekey.run(|_| ()).await.expect("done");
    assert_eq!(counts, Counts { changed: 200, unchanged: 100, unreadable: 0 });
}

#[tokio::test]
async fn what_no_key_opens_stays_and_the_old_key_stays_needed() {
    let (_folder, database) = database("rekey-unreadable");
    database.unlock(&vault(&[1])).expect("the first key");
    fill(&database, &[1], 2).await;
    fill(&database, &[3], 1).await;
    let counts = Rekey::new(Arc::clone(&database), vault(&[2, 1])).run(|_| ()).await.expect("done");
    assert_eq!(counts, Counts { changed: 2, unchanged: 0, unreadable: 2 });
    assert!(matches!(database.unlock(&vault(&[2])), Err(OpenError::WrongKey)));
    assert!(read(&database, &[3], "u0000").await.is_ok_and(|seed| seed.is_some()), "it is as it was");
}

/// Whoever adds an encrypted column adds it to [`SEALED`].
#[tokio::test]
async fn every_encrypted_column_is_known() {
    let (_folder, database) = database("rekey-columns");
    let sql =
        "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'sealed'";
    let tables = database.read(move |on| on.query(sql, &[])).await.expect("read");
    let tables: BTreeSet<String> = tables.into_iter().map(|mut row| row.text(0).expect("a name")).collect();
    // The probe is renewed at the end.
    let known: BTreeSet<String> =
        SEALED.iter().map(|sealed| sealed.table).chain(["sealed_probe"]).map(str::to_owned).collect();
    assert_eq!(tables, known);
}

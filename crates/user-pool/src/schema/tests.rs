//! Each schema that there ever was becomes the one of now, with what is in it.

use super::*;
use crate::clock::Timestamp;
use crate::database::{Database, Error, Others, Transaction};
use crate::testing::temporary_directory;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Every table, index and trigger, as it was made.
fn schema(on: &mut Transaction<'_>) -> Result<Vec<(String, String)>, Error> {
    let rows = on.query("SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name", &[])?;
    rows.into_iter().map(|mut row| Ok((row.text(0)?, row.text(1)?))).collect()
}

#[tokio::test]
async fn a_database_of_every_earlier_version_becomes_one_of_now() {
    let directory = temporary_directory("pool-schema");
    let fresh = Database::open(&directory.join("fresh.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let expected = fresh.read(schema).await.expect("read");
    for steps in 1..MIGRATIONS.len() {
        let file = directory.join(format!("of-{steps}.db"));
        let before = Database::open(&file, &MIGRATIONS[..steps], Others::Nobody, NOW).expect("a database");
        let add = |on: &mut Transaction<'_>| {
            let sql = "INSERT INTO users (pool, sub, username, username_key, status, enabled, attributes, epoch, created_at, \
                       modified_at) VALUES ('demo', 'sub-of-ada', 'Ada', 'ada', 'CONFIRMED', 1, '{\"name\":\"Ada\"}', 7, 1, 1)";
            on.execute(sql, &[])
        };
        assert_eq!(before.write(add).await.expect("added"), 1);
        drop(before);
        let now = Database::open(&file, MIGRATIONS, Others::Nobody, NOW).expect("migrates");
        assert_eq!(now.read(schema).await.expect("read"), expected, "after step {steps}");
        let ada = |on: &mut Transaction<'_>| {
            let row =
                on.query_one("SELECT username || attributes || epoch FROM users WHERE sub = 'sub-of-ada'", &[])?;
            row.map(|mut row| row.text(0)).transpose()
        };
        assert_eq!(now.read(ada).await.expect("read").as_deref(), Some("Ada{\"name\":\"Ada\"}7"), "after step {steps}");
    }
}

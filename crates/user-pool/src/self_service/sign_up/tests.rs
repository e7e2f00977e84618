use super::*;
use crate::MIGRATIONS;
use crate::database::{Database, Others};
use crate::testing::temporary_directory;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PEOPLE: [(&str, &str, u64); 5] = [
    ("confirmed", "CONFIRMED", 900),
    ("oldest", "UNCONFIRMED", 400),
    ("older", "UNCONFIRMED", 300),
    ("newer", "UNCONFIRMED", 200),
    ("newest", "UNCONFIRMED", 100),
];

#[tokio::test]
async fn those_who_have_never_confirmed_are_the_newest_and_not_more_than_may_be() {
    let directory = temporary_directory("sign-up-sweep");
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let fill = |on: &mut Transaction<'_>| {
        for (name, status, age) in PEOPLE {
            let sql = "INSERT INTO users (pool, sub, username, username_key, status, enabled, attributes, epoch, created_at, modified_at) \
                       VALUES ('people', ?1, ?1, ?1, ?2, 1, '{}', 0, ?3, ?3)";
            let at = Timestamp::from_seconds(NOW.seconds() - age);
            on.execute(sql, &[name.into(), status.into(), at.into()])?;
        }
        Ok(())
    };
    database.write(fill).await.expect("filled");
    let sweep = async |most: i64, limit: i64| {
        let swept = database.write(move |on| sweep_beyond(on, "people", most, NOW, limit)).await.expect("swept");
        let left = database.read(|on| on.query("SELECT sub FROM users ORDER BY created_at", &[])).await.expect("read");
        (swept, left.into_iter().map(|mut row| row.text(0).expect("a text")).collect::<Vec<_>>())
    };
    assert_eq!(sweep(4, 500).await.0, 0, "as many as may be");
    let (swept, left) = sweep(2, 1).await;
    assert_eq!((swept, left.len()), (1, 4), "not more than asked for");
    assert_eq!(sweep(2, 500).await, (1, ["confirmed", "newer", "newest"].map(str::to_owned).to_vec()));
    let later = database.write(|on| super::sweep(on, "people", NOW + UNCONFIRMED_FOR, 500)).await;
    assert_eq!(later.expect("swept"), 2, "and none for ever");
}

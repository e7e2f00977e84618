use std::sync::Arc;

use super::*;
use crate::database::Others;
use crate::directory::StoredUsers;
use crate::management::{Management, NewUser};
use crate::testing::temporary_directory;
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LATER: Timestamp = Timestamp::from_seconds(1_800_086_400);

#[tokio::test]
async fn a_backup_is_settled_once_and_a_database_that_is_none_is_left_alone() {
    let folder = temporary_directory("restored");
    let open = |name: &str| Database::open(&folder.join(name), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let database = Arc::new(open("pool.db"));
    let users =
        Management::new(StoredUsers { database: Arc::clone(&database), records: Records { pool: "people".into() } });
    users
        .add(NewUser { username: "ada".into(), password: None, attributes: vec![], groups: vec![] }, NOW)
        .await
        .expect("added");
    let fill = "INSERT INTO sso VALUES ('people', 's1', x'05', 'a', 'f', 9, 'pwd', '[]', 'a', 'b', 9, 9, 99)";
    database.write(move |on| on.execute(fill, &[])).await.expect("filled");
    users.back_up(&folder.join("copy.db"), NOW).await.expect("copied");
    settle(&database, LATER).expect("settled");
    let state = |database: Arc<Database>| async move {
        let count = |on: &mut Transaction<'_>, table: &str| {
            on.query_one(&format!("SELECT count(*) FROM {table}"), &[])
                .map(|row| row.expect("a row").integer(0).expect("a number"))
        };
        let read = move |on: &mut Transaction<'_>| Ok((count(on, "sso")?, count(on, "endings")?, count(on, "users")?));
        database.read(read).await.expect("read")
    };
    assert_eq!(state(Arc::clone(&database)).await, (1, 0, 1), "it is no backup");
    let copy = Arc::new(open("copy.db"));
    settle(&copy, LATER).expect("settled");
    assert_eq!(state(Arc::clone(&copy)).await, (0, 1, 1), "one ending, of everybody");
    let audited = copy.read(|on| AuditRows { pool: "people".into() }.newest(on, None, 1)).await.expect("read");
    assert_eq!((&*audited[0].operation, audited[0].detail.clone()), ("restore", Some(NOW.to_text())));
    copy.write(move |on| on.execute(fill, &[])).await.expect("filled");
    settle(&copy, LATER).expect("settled");
    assert_eq!(state(copy).await.0, 1, "what began after the restore stays");
}

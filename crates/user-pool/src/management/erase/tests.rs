use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::database::{Database, Others};
use crate::directory::StoredUsers;
use crate::events::audit::Outcome;
use crate::events::event::{Event, Kind, Response, Visit};
use crate::management::{NewUser, Record};
use crate::passwords::FirstPassword;
use crate::seen::Seen;
use crate::testing::temporary_directory;
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Texts that nobody else has, and one in each table.
const MARKS: [&str; 11] = [
    "mark-print",
    "mark-credential",
    "mark-name",
    "mark-mail",
    "mark-address",
    "mark-agent",
    "mark-pending",
    "mark-session",
    "mark-cause",
    "mark-claim",
    "mark-former",
];

fn fill(subject: &str) -> Vec<String> {
    [
        "INSERT INTO codes VALUES ('people', '@', 'email', 'email', 'c1', x'01', 0, 'mark-pending', 9, NULL, 0)",
        "INSERT INTO outbox VALUES ('people', 'm1', '@', 'reset', 'email', NULL, x'02', 1, 9, 9, 9, 9, 'mark-cause')",
        "INSERT INTO factors VALUES ('people', '@', 'totp', x'03', 0, 9)",
        "INSERT INTO recovery_codes VALUES ('people', '@', x'04', 0)",
        "INSERT INTO browsers VALUES ('people', x'09', '@', 'mark-print', 'b1', 9, 9, 99, 'mark-agent')",
        "INSERT INTO passkeys VALUES ('people', x'0a', '@', 'p1', 'mark-credential', 9, NULL, 'mark-name')",
        "INSERT INTO sso VALUES ('people', 's1', x'05', '@', 'f', 9, 'pwd', '[]', 'mark-address', 'mark-agent mark-session', 9, 9, 99)",
        "INSERT INTO grants VALUES ('people', x'06', '@', 's1', 'mark-claim', NULL, 9, 9)",
        "INSERT INTO families VALUES ('people', 'f1', x'07', x'08', NULL, NULL, NULL, '@', 'wiki', 's1', 'f', 'openid', 0, NULL, 9, 'pwd', \
         'mark-claim', 'mark-address', 'mark-agent', 9, 9, 99, 99, NULL)",
        "INSERT INTO password_history VALUES ('people', '@', 1, 'mark-former')",
        "INSERT INTO message_limits VALUES ('people', 'user', 'reset @', 9)",
    ]
    .map(|sql| sql.replace('@', subject))
    .to_vec()
}

async fn add(users: &Management, name: &str) -> Record {
    let attributes = vec![("email".into(), format!("{name}@example.com")), ("name".into(), name.to_owned())];
    let password = Some(FirstPassword::cheap(name));
    users.add(NewUser { username: name.to_owned(), password, attributes, groups: vec![] }, NOW).await.expect("added")
}

#[tokio::test]
async fn nothing_of_a_user_is_left_in_the_files() {
    let folder = temporary_directory("erase");
    let path = folder.join("pool.db");
    let database = Arc::new(Database::open(&path, MIGRATIONS, Others::Nobody, NOW).expect("a database"));
    let stored = StoredUsers { database: Arc::clone(&database), records: Records { pool: "people".into() } };
    let users = Management::new(stored);
    // Others, so that pages are split and merged.
    for number in 0..40 {
        add(&users, &format!("other-{number}")).await;
    }
    let ada = add(&users, "mark-name").await;
    users.set_attributes("mark-name", vec![("email".into(), "mark-mail@example.com".into())], NOW).await.expect("set");
    for number in 40..80 {
        add(&users, &format!("other-{number}")).await;
    }
    let (statements, rows, subject) = (fill(&ada.subject), users.event_rows(), ada.subject.clone());
    let filled = database.write(move |on| {
        for sql in &statements {
            assert_eq!(on.execute(sql, &[])?, 1, "{sql}");
        }
        let seen = Seen { address: "mark-address".into(), agent: "mark-agent".into() };
        let what = (Kind::SignIn, Response::Pass);
        rows.record(on, &Event::new(Some(&subject), what, Visit { seen, client: None }, NOW))
    });
    filled.await.expect("filled");
    let files = || -> Vec<u8> {
        let entries = folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.flat_map(|path| std::fs::read(path).expect("read")).collect()
    };
    let has = |all: &[u8], mark: &str| all.windows(mark.len()).any(|window| window == mark.as_bytes());
    let before = files();
    assert!(MARKS.iter().all(|mark| has(&before, mark)), "the test finds what is there");
    assert!(users.erase("mark-name", NOW).await.expect("erased"), "the log is emptied");
    let counted = database.read(|on| on.query("SELECT of FROM message_limits", &[])).await.expect("read");
    assert_eq!(counted.len(), 0, "what was sent to the user is not counted any more");
    let after = files();
    for mark in MARKS {
        assert!(!has(&after, mark), "{mark}");
    }
    assert!(!has(&after, ada.password_hash.expect("a hash").expose()), "the hash");
    assert!(has(&after, "other-79"), "the others are there");
}

#[tokio::test]
async fn what_an_erased_user_has_done_stays_without_the_name() {
    let folder = temporary_directory("erase-log");
    let database = Database::open(&folder.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let database = Arc::new(database);
    let users =
        Management::new(StoredUsers { database: Arc::clone(&database), records: Records { pool: "people".into() } });
    let ada = add(&users, "ada").await;
    users.sign_out("ada", NOW).await.expect("done");
    users.erase("ADA", NOW).await.expect("erased");
    assert!(matches!(users.erase("ada", NOW).await, Err(Error::NoUser(_))));
    let audited = users.audited(None, 10).await.expect("read");
    let operations: Vec<&str> = audited.iter().map(|entry| &*entry.operation).collect();
    assert_eq!(operations, ["user.erase", "user.erase", "user.sign_out", "user.add"]);
    assert_eq!((audited[0].outcome, &audited[0].subject), (Outcome::Failed, &None), "nobody has the name any more");
    let names: BTreeSet<_> = audited[1..].iter().map(|entry| entry.subject.clone().expect("a name")).collect();
    assert_eq!(names.len(), 1, "all of them are of the same person");
    assert!(names.iter().all(|name| name.starts_with("erased-") && !name.contains(&ada.subject)));
    let [event] = &users.events_of_all(10).await.expect("read")[..] else { panic!("one event") };
    assert!(names.contains(&event.subject));
    // Tokens that are out there stay ended.
    let sql = "SELECT count(*) FROM endings WHERE sub = ?1";
    let ended = database.read(move |on| on.query_one(sql, &[(&ada.subject).into()])).await.expect("read");
    assert_eq!(ended.expect("a row").integer(0).expect("a number"), 1);
}

/// Whoever adds a table with rows of users decides here what becomes of them: when a user is erased, and when a user asks what is known (`export.rs`).
#[tokio::test]
async fn every_table_with_rows_of_users_is_dealt_with() {
    let folder = temporary_directory("erase-tables");
    let database = Database::open(&folder.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let sql = "SELECT DISTINCT t.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'sub'";
    let tables = database.read(move |on| on.query(sql, &[])).await.expect("read");
    let tables: BTreeSet<String> = tables.into_iter().map(|mut row| row.text(0).expect("a name")).collect();
    // They go with the row in `users`, keep a pseudonym, or are needed to keep what has ended from coming back.
    let others = ["aliases", "members", "password_history", "user_search", "audit", "events", "endings", "logouts"];
    let known: BTreeSet<String> = DELETED.iter().chain(&others).map(|name| (*name).to_owned()).collect();
    assert_eq!(tables, known);
}

use std::sync::Arc;
use std::time::Duration;

use super::declared::Declared;
use super::reader::EndingReader;
use super::rows::{EndingRows, KEPT};
use crate::MIGRATIONS;
use crate::clock::{Clock, Timestamp};
use crate::database::{Database, Others};
use crate::identity::endings::Endings;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn rows(pool: &str) -> EndingRows {
    EndingRows { pool: pool.into() }
}

fn open(directory: &Directory, others: Others) -> Arc<Database> {
    Arc::new(Database::open(&directory.join("pool.db"), MIGRATIONS, others, NOW).expect("a database"))
}

async fn end(database: &Database, pool: &str, subject: &'static str, before: i64, at: Timestamp) {
    let rows = rows(pool);
    database.write(move |on| rows.end_user(on, subject, before, at)).await.expect("ended");
}

fn reader(database: &Arc<Database>, endings: &Arc<Endings>) -> Arc<EndingReader> {
    let clock = Clock::manual(NOW).0;
    EndingReader::start(Arc::clone(database), &"people".into(), Arc::clone(endings), clock).expect("started")
}

#[tokio::test]
async fn what_has_ended_is_known_at_the_start_and_after_each_commit() {
    let directory = temporary_directory("endings-reader");
    let database = open(&directory, Others::Nobody);
    end(&database, "people", "ada", 100, NOW).await;
    end(&database, "others", "eve", 100, NOW).await;
    let endings = Arc::new(Endings::default());
    let reader = reader(&database, &endings);
    assert_eq!([endings.first_auth_time("ada"), endings.first_auth_time("eve")], [100, 0]);
    let mut changes = endings.changes();
    let keeps = EndingReader::keep_up(Arc::downgrade(&reader));
    let other_process = open(&directory, Others::Server);
    let test = async {
        for (database, before) in [(&database, 200), (&other_process, 300)] {
            end(database, "people", "ada", before, NOW).await;
            changes.changed().await.expect("published");
            assert_eq!(endings.first_auth_time("ada"), u64::try_from(before).expect("positive"));
        }
        drop(reader);
    };
    // It ends with the reader.
    tokio::join!(keeps, test);
}

#[tokio::test]
async fn rows_are_kept_for_as_long_as_a_session_can_last() {
    let directory = temporary_directory("endings-sweep");
    let database = open(&directory, Others::Nobody);
    end(&database, "people", "ada", 1, NOW).await;
    end(&database, "people", "bob", 2, NOW + Duration::from_secs(1)).await;
    let left = async |now| {
        let rows = rows("people");
        let left = database.write(move |on| {
            while rows.sweep(on, now)? {}
            rows.after(on, 0)
        });
        left.await.expect("swept").len()
    };
    assert_eq!(left(NOW + KEPT - Duration::from_millis(1)).await, 2);
    assert_eq!(left(NOW + KEPT).await, 1);
    // What ends again gets a new number, greater than all that were there.
    let first = database.read(|on| rows("people").after(on, 0)).await.expect("read")[0].id;
    assert_eq!(left(NOW + KEPT * 2).await, 0);
    end(&database, "people", "bob", 3, NOW).await;
    assert!(database.read(|on| rows("people").after(on, 0)).await.expect("read")[0].id > first);
}

#[tokio::test]
async fn too_many_endings_make_none_forgotten() {
    let directory = temporary_directory("endings-many");
    let database = open(&directory, Others::Nobody);
    for (subject, before) in [("ada", 50), ("bob", 10), ("carol", 90), ("dave", 20)] {
        end(&database, "people", subject, before, NOW).await;
    }
    let merged = database.write(|on| rows("people").merge(on, 2, NOW)).await.expect("merged");
    assert!(!merged, "nothing more to do");
    let endings = Arc::new(Endings::default());
    let _reader = reader(&database, &endings);
    let first = ["ada", "bob", "carol", "dave", "somebody"].map(|subject| endings.first_auth_time(subject));
    assert_eq!(first, [50, 50, 90, 50, 50], "those of ada and bob became one of everybody");
}

#[test]
fn users_who_leave_the_configuration_or_get_another_password_have_ended() {
    let (declared, endings) = (Declared::default(), Endings::default());
    let users = [("ada", "1"), ("bob", "1"), ("carol", "1")];
    declared.replace(users.into_iter(), &endings, NOW);
    assert!(users.iter().all(|(subject, _)| endings.first_auth_time(subject) == 0), "there was nobody before");
    let later = NOW + Duration::from_secs(60);
    declared.replace([("ada", "1"), ("bob", "2"), ("dave", "1")].into_iter(), &endings, later);
    let first = ["ada", "bob", "carol", "dave"].map(|subject| endings.first_auth_time(subject));
    assert_eq!(first, [0, later.seconds() + 1, later.seconds() + 1, 0]);
    declared.replace([("ada", "1"), ("bob", "3")].into_iter(), &endings, later);
    assert_eq!(endings.first_auth_time("bob"), later.seconds() + 2, "also within a second");
}

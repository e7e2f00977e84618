use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::crypto::aead::Key;
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

const TABLE: Migration = Migration { sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;" };
const INDEX: Migration = Migration { sql: "CREATE UNIQUE INDEX notes_text ON notes (text);" };

fn directory() -> Directory {
    temporary_directory("database")
}

fn file(directory: &Directory) -> PathBuf {
    directory.join("pool.db")
}

fn vault(byte: u8) -> Vault {
    Vault::new([Key::new(&Secret::new([byte; 32]))].into())
}

fn open_with(directory: &Directory, migrations: &[Migration], vault: &Vault) -> Result<Database, OpenError> {
    let database = Database::open(&file(directory), migrations, Others::Nobody, NOW)?;
    database.unlock(vault).map(|()| database)
}

fn open(directory: &Directory) -> Arc<Database> {
    Arc::new(open_with(directory, &[TABLE], &vault(7)).expect("a database"))
}

fn add(id: i64, text: &'static str) -> impl FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static {
    move |transaction| {
        let values = [id.into(), text.into()];
        transaction.execute("INSERT INTO notes (id, text) VALUES (?1, ?2)", &values).map(drop)
    }
}

fn texts(transaction: &mut Transaction<'_>) -> Result<Vec<String>, Error> {
    let rows = transaction.query("SELECT text FROM notes ORDER BY id", &[])?;
    rows.into_iter().map(|mut row| row.text(0)).collect()
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = directory();
    let database = open(&directory);
    database.write(add(1, "one")).await.expect("written");
    assert_eq!(database.read(texts).await.expect("read"), ["one"]);
    drop(database);
    assert_eq!(open(&directory).read(texts).await.expect("read"), ["one"]);
}

#[tokio::test]
async fn a_transaction_that_fails_changes_nothing_and_those_beside_it_are_committed() {
    let directory = directory();
    let database = open(&directory);
    // The writer waits in the first one until all others are in the queue, so that it takes them together.
    let barrier = Arc::new(Barrier::new(2));
    let inside = Arc::clone(&barrier);
    let first = database.write(move |transaction| {
        inside.wait();
        inside.wait();
        add(0, "zero")(transaction)
    });
    let release = async {
        tokio::task::yield_now().await;
        let barrier = Arc::clone(&barrier);
        tokio::task::spawn_blocking(move || {
            barrier.wait();
            barrier.wait();
        })
        .await
        .expect("released");
    };
    let doubled = database.write(|transaction| {
        add(1, "half")(transaction)?;
        add(1, "twice")(transaction)
    });
    let panicking = database.write(|transaction| -> Result<(), Error> {
        add(2, "lost")(transaction)?;
        panic!("a bug");
    });
    let (first, one, doubled, panicking, three, ()) = tokio::join!(
        first,
        database.write(add(4, "four")),
        doubled,
        panicking,
        database.write(add(3, "three")),
        release
    );
    assert!(first.is_ok() && one.is_ok() && three.is_ok());
    assert!(matches!(doubled, Err(Error::Failed(_))), "{doubled:?}");
    assert!(matches!(panicking, Err(Error::Panicked)), "{panicking:?}");
    assert_eq!(database.read(texts).await.expect("read"), ["zero", "three", "four"]);
}

/// A write that the thread is in, with nothing else in its hands, and stays in until the barrier has been waited at.
async fn held(database: &Database, barrier: Arc<Barrier>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + '_>> {
    let inside = Arc::clone(&barrier);
    let mut write: Pin<Box<dyn Future<Output = Result<(), Error>> + '_>> = Box::pin(database.write(move |_| {
        inside.wait();
        inside.wait();
        Ok(())
    }));
    assert!(is_pending(&mut write));
    release(barrier).await;
    write
}

fn is_pending<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> bool {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

async fn release(barrier: Arc<Barrier>) {
    tokio::task::spawn_blocking(move || barrier.wait()).await.expect("released");
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_does_not_begin() {
    let directory = directory();
    let database = open(&directory);
    let barrier = Arc::new(Barrier::new(2));
    let first = held(&database, Arc::clone(&barrier)).await;
    let mut gone: Pin<Box<dyn Future<Output = Result<(), Error>> + '_>> = Box::pin(database.write(add(1, "gone")));
    assert!(is_pending(&mut gone), "it waits behind the first");
    drop(gone);
    release(barrier).await;
    first.await.expect("written");
    assert!(database.read(texts).await.expect("read").is_empty());
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let directory = directory();
    let database = open(&directory);
    let barrier = Arc::new(Barrier::new(2));
    let first = held(&database, Arc::clone(&barrier)).await;
    let mut waiting: Vec<_> = (0..1100).map(|_| Box::pin(database.write(|_| Ok(())))).collect();
    let mut refused = 0;
    for write in &mut waiting {
        if let Poll::Ready(result) = write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            assert!(matches!(result, Err(Error::Busy)), "{result:?}");
            refused += 1;
        }
    }
    assert_eq!(refused, 1100 - 1024);
    release(barrier).await;
    first.await.expect("written");
}

#[tokio::test]
async fn a_read_cannot_write_and_a_panic_takes_no_connection_away() {
    let directory = directory();
    let database = open(&directory);
    for id in 0..20 {
        let wrote = database.read(add(id, "x")).await;
        assert!(matches!(wrote, Err(Error::Failed(_))), "{wrote:?}");
        let panicked: Result<(), _> = database.read(|_| panic!("a bug")).await;
        assert!(matches!(panicked, Err(Error::Panicked)), "{panicked:?}");
    }
    assert!(database.read(texts).await.expect("read").is_empty());
}

#[tokio::test]
async fn migrations_are_applied_once_and_in_order() {
    let directory = directory();
    open(&directory).write(add(1, "one")).await.expect("written");
    let database = open_with(&directory, &[TABLE, INDEX], &vault(7)).expect("a newer release");
    assert!(database.write(add(2, "one")).await.is_err(), "the index is there");
    assert_eq!(database.read(texts).await.expect("read"), ["one"]);
    drop(database);
    let older = open_with(&directory, &[TABLE], &vault(7));
    assert!(matches!(older, Err(OpenError::Newer { found: 2, known: 1 })), "{older:?}");
    let other = open_with(&directory, &[INDEX, INDEX], &vault(7));
    assert!(matches!(other, Err(OpenError::Changed(1))), "{other:?}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    let directory = directory();
    open(&directory).write(add(1, "one")).await.expect("written");
    let wrong = Migration { sql: "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1);" };
    let failed = open_with(&directory, &[TABLE, INDEX, wrong], &vault(7));
    assert!(matches!(failed, Err(OpenError::Migration { version: 3, .. })), "{failed:?}");
    assert_eq!(open(&directory).read(texts).await.expect("read"), ["one"], "at version 1");
}

#[test]
fn a_second_opening_of_the_file_is_refused() {
    let directory = directory();
    let first = open(&directory);
    let second = open_with(&directory, &[TABLE], &vault(7));
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
    drop(first);
    open(&directory);
}

#[tokio::test]
async fn a_command_works_beside_the_process_that_serves() {
    let directory = directory();
    let server = open(&directory);
    let command = Database::open(&file(&directory), &[TABLE], Others::Server, NOW).expect("a database");
    command.write(add(1, "one")).await.expect("written");
    assert_eq!(server.read(texts).await.expect("read"), ["one"]);
    let newer = Database::open(&file(&directory), &[TABLE, INDEX], Others::Server, NOW);
    assert!(matches!(newer, Err(OpenError::Older { found: 1, known: 2 })), "{newer:?}");
    drop((server, command));
    Database::open(&file(&directory), &[TABLE, INDEX], Others::Server, NOW)
        .expect("nobody serves: the tables may be changed");
}

#[test]
fn a_command_keeps_no_process_from_starting() {
    let directory = directory();
    // The first makes the tables, the second finds them.
    for _ in 0..2 {
        let command = Database::open(&file(&directory), &[TABLE], Others::Server, NOW).expect("a database");
        drop(open(&directory));
        drop(command);
    }
}

#[tokio::test]
async fn a_process_that_takes_over_gets_the_lock_when_the_other_has_ended() {
    let directory = directory();
    let former = open(&directory);
    let latter = Database::open(&file(&directory), &[TABLE, INDEX], Others::Predecessor, NOW).expect("a database");
    former.write(add(1, "one")).await.expect("both write");
    latter.write(add(2, "two")).await.expect("both write");
    drop(former);
    // The lock goes to the thread that waits for it. Until then, this test may get it for a moment.
    for _ in 0..100_000 {
        match Lock::take(&file(&directory), Others::Nobody) {
            Err(OpenError::InUse(_)) => break,
            taken => drop(taken),
        }
        std::thread::yield_now();
    }
    let third = Lock::take(&file(&directory), Others::Nobody);
    assert!(matches!(third, Err(OpenError::InUse(_))), "{third:?}");
    assert_eq!(latter.read(texts).await.expect("read"), ["one", "two"]);
}

#[test]
fn files_of_others_are_left_alone() {
    let directory = directory();
    std::fs::write(file(&directory), "users: []\n".repeat(1000)).expect("written");
    let text = open_with(&directory, &[TABLE], &vault(7));
    assert!(matches!(text, Err(OpenError::Foreign(_))), "{text:?}");
    std::fs::remove_file(file(&directory)).expect("removed");
    let other = rusqlite::Connection::open(file(&directory)).expect("a database");
    other.execute_batch("CREATE TABLE theirs (id INTEGER)").expect("a table");
    drop(other);
    let foreign = open_with(&directory, &[TABLE], &vault(7));
    assert!(matches!(foreign, Err(OpenError::Foreign(_))), "{foreign:?}");
    let missing = Database::open(&directory.join("none/pool.db"), &[TABLE], Others::Nobody, NOW);
    assert!(matches!(missing, Err(OpenError::File { .. })), "{missing:?}");
}

#[test]
fn only_our_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = directory();
    let _database = open(&directory);
    let mut files = 0;
    for entry in std::fs::read_dir(&*directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 4, "the database, its log, its index, the lock");
}

#[test]
fn a_database_opens_with_its_keys_only() {
    let directory = directory();
    drop(open(&directory));
    let other = open_with(&directory, &[TABLE], &vault(8));
    assert!(matches!(other, Err(OpenError::WrongKey)), "{other:?}");
    let both: Arc<[Key]> = [8, 7].map(|byte| Key::new(&Secret::new([byte; 32]))).into();
    open_with(&directory, &[TABLE], &Vault::new(both)).expect("the former key is there, too");
}

#[test]
fn a_sealed_column_opens_in_its_place_only() {
    let vault = vault(7);
    let place = Place { table: "factors", column: "secret", row: &["people", "alice"] };
    let sealed = vault.seal(b"seed", &place);
    assert_eq!(vault.open(&sealed, &place).expect("opened").expose(), b"seed");
    for other in [
        Place { table: "codes", ..place },
        Place { column: "other", ..place },
        Place { row: &["people", "bob"], ..place },
        Place { row: &["peoplealice"], ..place },
        Place { row: &["peoplea", "lice"], ..place },
        Place { table: "factorssecret", column: "", row: place.row },
    ] {
        assert!(matches!(vault.open(&sealed, &other), Err(Error::Sealed { .. })), "{other:?}");
    }
}

#[tokio::test]
async fn a_copy_is_written_while_the_database_is_in_use() {
    let directory = directory();
    let database = open(&directory);
    database.write(add(1, "one")).await.expect("written");
    let copy = directory.join("copy.db");
    let (copied, written) = tokio::join!(database.back_up(&copy, NOW), database.write(add(2, "two")));
    copied.expect("copied");
    written.expect("written");
    let again = database.back_up(&copy, NOW).await;
    assert!(matches!(again, Err(Error::Backup { .. })), "a copy never replaces a file: {again:?}");
    let wrote = database.read(add(3, "x")).await;
    assert!(wrote.is_err(), "the connection that has copied cannot write");
    let restored = Database::open(&copy, &[TABLE], Others::Nobody, NOW).expect("a database");
    let texts = restored.read(texts).await.expect("read");
    assert_eq!(texts[0], "one");
}

use std::time::Duration;

use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others};
use crate::messages::message::{Kind, Medium, Recipient};
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};
use crate::verification::code::OneTimeCode;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn vault() -> Vault {
    Vault::new([Key::new(&Secret::new([7; 32]))].into())
}

fn database(name: &str) -> (Directory, Database) {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    (directory, database)
}

fn to_ada() -> Recipient {
    Recipient { medium: Medium::Email, address: "ada@example.com".into() }
}

#[tokio::test]
async fn a_message_is_there_if_and_only_if_its_transaction_commits() {
    let (_directory, database) = database("outbox-commit");
    let messages = Messages::new("people".into(), vault(), Arc::default());
    let (sender, message) = (messages.clone(), Message::new(Kind::PasswordChanged, to_ada(), "ada", Content::Notice));
    let failed = database.write(move |on| {
        sender.enqueue(on, &message, NOW)?;
        Err::<(), _>(Error::Malformed("test"))
    });
    failed.await.expect_err("the transaction fails");
    let count = |on: &mut Transaction<'_>| on.query("SELECT kind FROM outbox", &[]).map(|rows| rows.len());
    assert_eq!(database.read(count).await.expect("read"), 0);
    let message = Message::new(Kind::PasswordChanged, to_ada(), "ada", Content::Notice);
    database.write(move |on| messages.enqueue(on, &message, NOW)).await.expect("enqueued");
    assert_eq!(database.read(count).await.expect("read"), 1);
}

#[tokio::test]
async fn the_file_does_not_tell_what_a_message_says_and_to_whom() {
    let (directory, database) = database("outbox-sealed");
    let messages = Messages::new("people".into(), vault(), Arc::default());
    let code = OneTimeCode::random(Duration::from_hours(1), NOW);
    let digits = code.digits().clone();
    let mut message = Message::new(Kind::Reset, to_ada(), "countess", Content::Code(code));
    message.link = Some(Secret::new("https://login.example.com/reset".into()));
    database.write(move |on| messages.enqueue(on, &message, NOW)).await.expect("enqueued");
    drop(database);
    let files = ["pool.db", "pool.db-wal"].map(|name| std::fs::read(directory.join(name)).unwrap_or_default()).concat();
    for text in ["ada@example.com", "countess", "login.example.com", digits.expose()] {
        assert!(!files.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

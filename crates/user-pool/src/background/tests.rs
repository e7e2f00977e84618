use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others, Value, Vault};
use crate::messages;
use crate::secret::Secret;
use crate::testing::temporary_directory;
use crate::verification::code::{CodeOf, Codes, OneTimeCode, Purpose};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[tokio::test]
async fn what_has_expired_is_deleted_in_batches_and_nothing_else() {
    let directory = temporary_directory("background-sweep");
    let (clock, hand) = Clock::manual(NOW);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let vault = Vault::new([Key::new(&Secret::new([7; 32]))].into());
    let (pool, database): (Arc<str>, _) = ("people".into(), Arc::new(database));
    let codes = Codes::new(Arc::clone(&pool), vault.clone());
    let expired = 2 * usize::try_from(BATCH).expect("a size") + 1;
    let issue = database.write(move |on| {
        for number in 0..=expired {
            let subject = number.to_string();
            let of = CodeOf { subject: &subject, purpose: Purpose::SignUp, target: "email" };
            let lifetime = Duration::from_secs(if number == 0 { 120 } else { 60 });
            codes.issue(on, &of, &OneTimeCode::random(lifetime, NOW), None)?;
        }
        Ok(())
    });
    issue.await.expect("issued");
    let settings = messages::settings::Settings::default();
    let dispatch = Dispatch {
        pool: Arc::clone(&pool),
        database: Arc::clone(&database),
        queue: Queue::new(Arc::clone(&pool), vault),
        way: Way::new(&settings, &Default::default(), (None, "login.example.com"), &clock).expect("a way"),
        clock: clock.clone(),
        metrics: Metrics::new(&pool, &Registry::default()),
    };
    hand.advance(Duration::from_secs(60));
    sweep(&dispatch).await;
    let left = database.read(move |on| on.query("SELECT sub FROM codes WHERE pool = ?1", &[Value::from(&*pool)]));
    let left: Vec<_> = left.await.expect("read").into_iter().map(|mut row| row.text(0).expect("text")).collect();
    assert_eq!(left, ["0"]);
}

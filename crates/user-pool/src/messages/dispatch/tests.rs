use super::*;
use crate::MIGRATIONS;
use crate::clock::{ManualClock, Timestamp};
use crate::crypto::aead::Key;
use crate::database::{Others, Vault};
use crate::drain;
use crate::messages::courier::double::MailServer;
use crate::messages::message::{Content, Kind, Medium, Message, Recipient};
use crate::messages::outbox::Messages;
use crate::messages::settings::{MailBy, Settings};
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Bench {
    clock: Clock,
    hand: ManualClock,
    dispatch: Arc<Dispatch>,
    messages: Messages,
    added: Arc<Notify>,
    _directory: Directory,
}

fn vault() -> Vault {
    Vault::new([Key::new(&Secret::new([7; 32]))].into())
}

fn way(server: &MailServer, clock: &Clock) -> Way {
    let mail = Some(MailBy::Smtp(Box::new(server.mail())));
    let settings = Settings { mail, ..Settings::default() };
    Way::new(&settings, &Default::default(), (None, "login.example.com"), clock).expect("a way")
}

fn bench(name: &str, server: &MailServer) -> Bench {
    let directory = temporary_directory(name);
    let (clock, hand) = Clock::manual(NOW);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let (pool, added): (Arc<str>, Arc<Notify>) = ("people".into(), Arc::default());
    let dispatch = Arc::new(Dispatch {
        pool: Arc::clone(&pool),
        database: Arc::new(database),
        queue: Queue::new(Arc::clone(&pool), vault()),
        way: way(server, &clock),
        clock: clock.clone(),
        metrics: Metrics::new(&pool, &Registry::default()),
    });
    let messages = Messages::new(pool, vault(), Arc::clone(&added));
    Bench { clock, hand, dispatch, messages, added, _directory: directory }
}

impl Bench {
    async fn enqueue(&self, medium: Medium) {
        let to = Recipient { medium, address: "ada@example.com".into() };
        let (messages, message) =
            (self.messages.clone(), Message::new(Kind::PasswordChanged, to, "ada", Content::Notice));
        self.dispatch.database.write(move |on| messages.enqueue(on, &message, NOW)).await.expect("enqueued");
    }

    /// Waits until the task has done something that shows in the metrics.
    async fn until(&self, is_so: impl Fn(&Metrics) -> bool) {
        let wait = async {
            while !is_so(&self.dispatch.metrics) {
                self.dispatch.metrics.changed.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it happens");
    }
}

/// Runs the task beside `test`, then stops it.
async fn beside(bench: &Bench, newest: watch::Receiver<Option<Arc<Dispatch>>>, test: impl Future<Output = ()>) {
    let (drain, mut draining) = drain::channel();
    let task = async {
        run(newest, (Arc::clone(&bench.added), [Duration::ZERO; 2]), &mut draining).await;
        drop(draining);
    };
    let rest = async {
        test.await;
        assert!(drain.finish(Duration::from_secs(20)).await, "the task ends");
    };
    tokio::join!(task, rest);
}

#[tokio::test]
async fn a_message_is_sent_as_soon_as_it_is_written() {
    let server = MailServer::start("250 ok");
    let bench = bench("dispatch-sent", &server);
    let (_newest, told) = watch::channel(Some(Arc::clone(&bench.dispatch)));
    beside(&bench, told, async {
        for sent in 1..=20 {
            bench.enqueue(Medium::Email).await;
            bench.until(|metrics| metrics.sent.value() == sent).await;
        }
    })
    .await;
    assert_eq!(server.mails().len(), 20);
    assert!(server.mails()[0].contains("Your password was changed"));
}

/// Whoever asks next does not see that a message is sent.
#[tokio::test(start_paused = true)]
async fn u_01_the_outbox_is_not_read_at_once() {
    let added = Notify::new();
    let mut waited = Vec::new();
    for _ in 0..20 {
        let begun = tokio::time::Instant::now();
        added.notify_one();
        rested(&added, REST).await;
        waited.push(begun.elapsed());
    }
    let [least, most] = REST;
    // The timer has a resolution of a millisecond.
    assert!(waited.iter().all(|wait| (least..=most + Duration::from_millis(1)).contains(wait)), "{waited:?}");
    waited.sort_unstable();
    waited.dedup();
    assert!(waited.len() > 5, "the time is random: {waited:?}");
}

#[tokio::test]
async fn what_waits_from_before_the_start_is_sent() {
    let server = MailServer::start("250 ok");
    let bench = bench("dispatch-start", &server);
    for _ in 0..20 {
        bench.enqueue(Medium::Email).await;
    }
    let (_newest, told) = watch::channel(Some(Arc::clone(&bench.dispatch)));
    beside(&bench, told, bench.until(|metrics| metrics.sent.value() == 20)).await;
    assert_eq!(server.mails().len(), 20);
}

#[tokio::test]
async fn a_server_that_refuses_for_now_is_tried_again() {
    let server = MailServer::start("450 busy");
    let bench = bench("dispatch-again", &server);
    let (_newest, told) = watch::channel(Some(Arc::clone(&bench.dispatch)));
    beside(&bench, told, async {
        bench.enqueue(Medium::Email).await;
        bench.until(|metrics| metrics.failed.value() == 1).await;
        server.answer("250 ok");
        bench.hand.advance(Duration::from_secs(5));
        bench.added.notify_one();
        bench.until(|metrics| metrics.sent.value() == 1).await;
    })
    .await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_recipient_that_is_refused_is_given_up() {
    let server = MailServer::start("550 no such user");
    let bench = bench("dispatch-never", &server);
    let (_newest, told) = watch::channel(Some(Arc::clone(&bench.dispatch)));
    beside(&bench, told, async {
        bench.enqueue(Medium::Email).await;
        bench.until(|metrics| metrics.given_up.value() == 1).await;
    })
    .await;
    assert_eq!(bench.dispatch.metrics.failed.value(), 0);
}

#[tokio::test]
async fn a_medium_that_the_pool_lacks_may_come_with_another_configuration() {
    let server = MailServer::start("250 ok");
    let bench = bench("dispatch-medium", &server);
    let (_newest, told) = watch::channel(Some(Arc::clone(&bench.dispatch)));
    beside(&bench, told, async {
        bench.enqueue(Medium::Sms).await;
        bench.until(|metrics| metrics.failed.value() == 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_newest_configuration_is_used_and_without_one_nothing_is_sent() {
    let (first, second) = (MailServer::start("250 ok"), MailServer::start("250 ok"));
    let bench = bench("dispatch-newest", &first);
    let (newest, told) = watch::channel(None);
    let other = Arc::new(Dispatch {
        pool: Arc::clone(&bench.dispatch.pool),
        database: Arc::clone(&bench.dispatch.database),
        queue: bench.dispatch.queue.clone(),
        way: way(&second, &bench.clock),
        clock: bench.clock.clone(),
        metrics: bench.dispatch.metrics.clone(),
    });
    beside(&bench, told, async {
        bench.enqueue(Medium::Email).await;
        newest.send_replace(Some(Arc::clone(&bench.dispatch)));
        bench.until(|metrics| metrics.sent.value() == 1).await;
        newest.send_replace(Some(other));
        bench.enqueue(Medium::Email).await;
        bench.until(|metrics| metrics.sent.value() == 2).await;
    })
    .await;
    assert_eq!((first.mails().len(), second.mails().len()), (1, 1));
}

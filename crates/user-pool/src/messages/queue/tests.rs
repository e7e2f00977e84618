use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others};
use crate::messages::message::{Content, Message};
use crate::messages::outbox::Messages;
use crate::testing::{Directory, temporary_directory};
use crate::verification::code::{CodeOf, Codes, OneTimeCode, Purpose};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const OF: CodeOf<'static> = CodeOf { subject: "ada", purpose: Purpose::Reset, target: "email" };

struct Bench {
    database: Database,
    queue: Queue,
    codes: Codes,
    messages: Messages,
    _directory: Directory,
}

fn vault(byte: u8) -> Vault {
    Vault::new([Key::new(&Secret::new([byte; 32]))].into())
}

fn bench(name: &str) -> Bench {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    Bench {
        database,
        queue: Queue::new("people".into(), vault(7)),
        codes: Codes::new("people".into(), vault(7)),
        messages: Messages::new("people".into(), vault(7), Arc::default()),
        _directory: directory,
    }
}

fn to_ada() -> Recipient {
    Recipient { medium: Medium::Email, address: "ada@example.com".into() }
}

impl Bench {
    async fn send_code(&self) -> OneTimeCode {
        let code = OneTimeCode::random(OF.purpose.lifetime(), NOW);
        let (codes, messages, issued) = (self.codes.clone(), self.messages.clone(), code.clone());
        let message = Message::new(Kind::Reset, to_ada(), "ada", Content::Code(issued.clone()));
        let write = self.database.write(move |on| {
            codes.issue(on, &OF, &issued, None)?;
            messages.enqueue(on, &message, NOW)
        });
        write.await.expect("enqueued");
        code
    }

    async fn notify(&self) {
        let (messages, message) =
            (self.messages.clone(), Message::new(Kind::PasswordChanged, to_ada(), "ada", Content::Notice));
        self.database.write(move |on| messages.enqueue(on, &message, NOW)).await.expect("enqueued");
    }

    async fn sent(&self, claimed: Claimed) {
        for due in claimed.due {
            let queue = self.queue.clone();
            self.database.write(move |on| queue.sent(on, &due)).await.expect("written");
        }
    }

    async fn claim(&self, now: Timestamp) -> Claimed {
        let queue = self.queue.clone();
        self.database.write(move |on| queue.claim(on, 10, now)).await.expect("claimed")
    }

    async fn one(&self, now: Timestamp) -> Due {
        let mut claimed = self.claim(now).await;
        assert_eq!(claimed.due.len(), 1, "{claimed:?}");
        claimed.due.remove(0)
    }

    async fn fail(&self, due: Due, now: Timestamp) -> Failure {
        let queue = self.queue.clone();
        self.database.write(move |on| queue.failed(on, &due, "450 busy", now)).await.expect("written")
    }

    async fn contents(&self) -> Contents {
        let queue = self.queue.clone();
        self.database.read(move |on| queue.contents(on)).await.expect("read")
    }
}

#[tokio::test]
async fn a_message_is_claimed_once_and_gone_when_it_was_sent() {
    let bench = bench("queue-once");
    let code = bench.send_code().await;
    let due = bench.one(NOW).await;
    assert_eq!((due.kind, due.medium, due.body.to.as_str()), (Kind::Reset, Medium::Email, "ada@example.com"));
    assert_eq!(due.body.secret.as_ref(), Some(code.digits()));
    assert!(!format!("{due:?}").contains(code.digits().expose().as_str()));
    assert!(bench.claim(NOW).await.due.is_empty());
    assert_eq!(bench.contents().await, Contents { waiting: 1, oldest: Some(NOW), dead: 0 });
    let queue = bench.queue.clone();
    bench.database.write(move |on| queue.sent(on, &due)).await.expect("written");
    assert_eq!(bench.contents().await, Contents::default());
}

#[tokio::test]
async fn what_a_killed_process_had_taken_is_taken_again() {
    let bench = bench("queue-killed");
    bench.send_code().await;
    let first = bench.one(NOW).await;
    assert!(bench.claim(NOW + LEASE - Duration::from_millis(1)).await.due.is_empty());
    assert_eq!(bench.one(NOW + LEASE).await.id, first.id);
}

#[tokio::test]
async fn tries_are_further_and_further_apart_until_it_is_given_up() {
    let bench = bench("queue-tries");
    bench.notify().await;
    let mut now = NOW;
    for seconds in [5, 30, 120, 600, 3600] {
        let due = bench.one(now).await;
        let next = now + Duration::from_secs(seconds);
        assert_eq!(bench.fail(due, now).await, Failure::Again(next), "design §8");
        assert!(bench.claim(next - Duration::from_millis(1)).await.due.is_empty());
        now = next;
    }
    let due = bench.one(now).await;
    assert_eq!(bench.fail(due, now).await, Failure::GivenUp);
    assert_eq!(bench.contents().await, Contents { waiting: 0, oldest: None, dead: 1 });
    assert!(bench.claim(now + Duration::from_hours(24)).await.due.is_empty());
    let sealed = bench.database.read(|on| on.query("SELECT 1 FROM outbox WHERE sealed IS NOT NULL", &[]));
    assert!(sealed.await.expect("read").is_empty(), "nothing of what it said is kept");
    for (later, left) in [(Duration::from_hours(167), 1), (Duration::from_hours(169), 0)] {
        let now = now + later;
        bench.database.write(move |on| sweep(on, "people", now, 500)).await.expect("swept");
        assert_eq!(bench.contents().await.dead, left);
    }
}

#[tokio::test]
async fn a_code_that_was_replaced_used_or_has_expired_is_not_sent() {
    let bench = bench("queue-useless");
    bench.send_code().await;
    let new = bench.send_code().await;
    let claimed = bench.claim(NOW).await;
    assert_eq!((claimed.useless, claimed.due.len()), (1, 1));
    assert_eq!(claimed.due[0].body.secret.as_ref(), Some(new.digits()));

    let code = bench.send_code().await;
    let (codes, typed) = (bench.codes.clone(), code.digits().clone());
    bench.database.write(move |on| codes.take(on, &OF, typed.expose(), NOW)).await.expect("taken");
    assert_eq!(bench.claim(NOW).await.useless, 1);

    bench.send_code().await;
    let claimed = bench.claim(NOW + Purpose::Reset.lifetime()).await;
    assert!(claimed.due.is_empty() && claimed.useless > 0, "{claimed:?}");
    assert_eq!(bench.contents().await.waiting, 0);
}

#[tokio::test]
async fn a_row_that_nobody_can_read_does_not_keep_the_others_back() {
    let bench = bench("queue-unreadable");
    bench.notify().await;
    bench.database.write(|on| on.execute("UPDATE outbox SET id = 'moved'", &[])).await.expect("moved");
    bench.notify().await;
    let claimed = bench.claim(NOW).await;
    assert_eq!((claimed.unreadable, claimed.given_up, claimed.due.len()), (1, 0, 1));
    bench.sent(claimed).await;
    let mut now = NOW;
    for delay in DELAYS {
        assert_eq!(bench.contents().await.dead, 0);
        now = now + delay;
        let claimed = bench.claim(now).await;
        assert_eq!(claimed.unreadable + claimed.given_up, 1);
    }
    assert_eq!(bench.contents().await, Contents { waiting: 0, oldest: None, dead: 1 });
}

/// A process whose place another one takes does not have a key that the new configuration has.
#[tokio::test]
async fn a_message_for_which_this_process_has_no_key_is_left_for_one_that_has() {
    let bench = bench("queue-other-key");
    let of_the_other = Messages::new("people".into(), vault(8), Arc::default());
    let message = Message::new(Kind::PasswordChanged, to_ada(), "ada", Content::Notice);
    bench.database.write(move |on| of_the_other.enqueue(on, &message, NOW)).await.expect("enqueued");
    assert_eq!(bench.claim(NOW).await.unreadable, 1);
    let other = Queue::new("people".into(), vault(8));
    let claimed = bench.database.write(move |on| other.claim(on, 10, NOW + DELAYS[0])).await.expect("claimed");
    assert_eq!(claimed.due.len(), 1);
}

#[tokio::test]
async fn the_messages_of_another_pool_are_left_alone() {
    let bench = bench("queue-pools");
    bench.notify().await;
    let other = Queue::new("others".into(), vault(7));
    let claimed = bench.database.write(move |on| other.claim(on, 10, NOW)).await.expect("claimed");
    assert!(claimed.due.is_empty());
    assert_eq!(bench.claim(NOW).await.due.len(), 1);
}

#[tokio::test]
async fn what_was_for_a_user_who_was_deleted_is_not_sent() {
    let bench = bench("queue-forget");
    let to = |subject: &str| {
        let mut message = Message::new(Kind::PasswordChanged, to_ada(), "ada", Content::Notice);
        message.subject = Some(subject.to_owned());
        message
    };
    let (messages, ada, bob) = (bench.messages.clone(), to("ada"), to("bob"));
    let write = bench.database.write(move |on| {
        messages.enqueue(on, &ada, NOW)?;
        messages.enqueue(on, &bob, NOW)?;
        forget(on, "people", "ada")
    });
    write.await.expect("written");
    assert_eq!(bench.claim(NOW).await.due.len(), 1);
}

#[tokio::test]
async fn what_only_seems_to_be_sent_is_written_and_then_nobodys() {
    let bench = bench("queue-pretend");
    // Also while no message can be taken, or strangers could make the table grow.
    for limit in [10, 0] {
        let (messages, message) = (bench.messages.clone(), Message::new(Kind::Reset, to_ada(), "ada", Content::Notice));
        bench.database.write(move |on| messages.pretend(on, &message, NOW)).await.expect("written");
        assert_eq!(bench.contents().await.waiting, 1);
        let queue = bench.queue.clone();
        let claimed = bench.database.write(move |on| queue.claim(on, limit, NOW)).await.expect("claimed");
        assert!(claimed.due.is_empty());
        assert_eq!(claimed.useless, 0, "the operator is not told of it");
        assert_eq!(bench.contents().await.waiting, 0);
    }
}

#[test]
fn a_message_for_a_test_says_the_validity_of_a_real_one() {
    let hours = |kind: Kind| {
        let to = Recipient { medium: Medium::Email, address: "you@example.com".to_owned() };
        let link = ("https://login.example.com", Duration::from_hours(48));
        let due = Due::for_test(kind, to, None, link, NOW);
        due.expires_at.since(NOW).as_secs() / 3600
    };
    assert_eq!([Kind::Verification, Kind::Reset, Kind::Invitation].map(hours), [24, 1, 48]);
    assert_eq!(Kind::SecondFactor.lifetime(Duration::ZERO), Duration::from_mins(10));
}

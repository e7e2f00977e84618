use std::time::Duration;

use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others, Vault};
use crate::directory::attribute::Attributes;
use crate::directory::status::Status;
use crate::messages::queue::{Due, Queue};
use crate::messages::settings::Ceilings;
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};
use crate::verification::code::{Purpose, Taken};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const OF: CodeOf<'static> = CodeOf { subject: "ada", purpose: Purpose::Reset, target: "email" };

struct Bench {
    database: Database,
    outgoing: Outgoing,
    _directory: Directory,
}

fn vault() -> Vault {
    Vault::new([Key::new(&Secret::new([7; 32]))].into())
}

fn bench(name: &str, has_mail: bool, has_sms: bool) -> Bench {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let ceilings = Ceilings { per_user: 1, ..Ceilings::default() };
    let outgoing = Outgoing {
        codes: Codes::new("people".into(), vault()),
        messages: Messages::new("people".into(), vault(), Arc::default()),
        limits: Limits::new("people".into(), vault(), ceilings, [].into(), Arc::default()),
        has_mail,
        has_sms,
    };
    Bench { database, outgoing, _directory: directory }
}

fn ada(attributes: &[(&str, &str)]) -> Record {
    let mut all = Attributes::default();
    all.set_all(attributes.iter().copied()).expect("attributes");
    Record {
        subject: "ada".into(),
        username: "ada".into(),
        status: Status::Confirmed,
        is_enabled: true,
        attributes: all,
        password_hash: None,
        password_set_at: None,
        temporary_until: None,
        epoch: 0,
        created_at: NOW,
        modified_at: NOW,
        groups: Vec::new(),
        identities: Vec::new(),
    }
}

impl Bench {
    async fn send_code(&self, now: Timestamp) -> (Verdict, OneTimeCode) {
        let code = OneTimeCode::random(Duration::from_hours(1), now);
        let to = Recipient { medium: Medium::Email, address: "ada@example.com".into() };
        let mut message = Message::new(Kind::Reset, to, "ada", Content::Notice);
        message.subject = Some("ada".into());
        let (outgoing, sent) = (self.outgoing.clone(), code.clone());
        let verdict = self.database.write(move |on| outgoing.send_code(on, &OF, (sent, None), message, now));
        (verdict.await.expect("written"), code)
    }

    async fn due(&self) -> Vec<Due> {
        let queue = Queue::new("people".into(), vault());
        self.database.write(move |on| queue.claim(on, 10, NOW)).await.expect("claimed").due
    }

    async fn notified(&self, user: Record) -> Option<(Medium, String, Option<String>)> {
        let outgoing = self.outgoing.clone();
        let written = self.database.write(move |on| outgoing.notify(on, Kind::PasswordChanged, &user, NOW));
        written.await.expect("written");
        self.due().await.pop().map(|due| (due.medium, due.body.to, due.body.language))
    }
}

#[tokio::test]
async fn a_code_that_is_withheld_leaves_the_one_that_was_sent_valid() {
    let bench = bench("outgoing-withheld", true, false);
    let (verdict, first) = bench.send_code(NOW).await;
    assert_eq!(verdict, Verdict::Send);
    let (verdict, _) = bench.send_code(NOW).await;
    assert!(matches!(verdict, Verdict::Withhold(_)));
    let due = bench.due().await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].body.secret.as_ref(), Some(first.digits()));
    let codes = bench.outgoing.codes.clone();
    let taken = bench.database.write(move |on| codes.take(on, &OF, first.digits().expose(), NOW)).await;
    assert!(matches!(taken, Ok(Taken::Right { .. })));
}

#[tokio::test]
async fn a_notice_goes_to_a_verified_address_by_what_the_pool_has() {
    let mail = [("email", "ada@example.com"), ("email_verified", "true"), ("locale", "de")];
    let phone = [("phone_number", "+4930123456"), ("phone_number_verified", "true")];
    let both = ada(&[&mail[..], &phone[..]].concat());
    let to_mail = Some((Medium::Email, "ada@example.com".to_owned(), Some("de".to_owned())));
    let to_phone = Some((Medium::Sms, "+4930123456".to_owned(), Some("de".to_owned())));
    for (name, has_mail, has_sms, expected) in [
        ("both", true, true, to_mail.clone()),
        ("mail", true, false, to_mail),
        ("sms", false, true, to_phone),
        ("none", false, false, None),
    ] {
        let bench = bench(&format!("outgoing-notice-{name}"), has_mail, has_sms);
        assert_eq!(bench.notified(both.clone()).await, expected, "{name}");
    }
    let bench = bench("outgoing-notice-unverified", true, true);
    assert_eq!(bench.notified(ada(&[("email", "ada@example.com")])).await, None);
    assert_eq!(bench.notified(ada(&[])).await, None);
}

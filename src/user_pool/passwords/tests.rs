use std::sync::Arc;

use super::*;
use crate::config::tests::{Directory as Temporary, temporary_directory};
use crate::database::{Database, Others};
use crate::user_pool::MIGRATIONS;
use crate::user_pool::credential::password::{Hashing, costs, tests::cheap, verify};
use crate::user_pool::management::{Management, NewUser};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LATER: Timestamp = Timestamp::from_seconds(1_800_000_060);
/// The first second that counts after what happens at [`LATER`].
const EPOCH: i64 = LATER.seconds().cast_signed() + 1;

/// The password of a user who is added by a test, hashed at the lowest cost.
pub(crate) fn first(password: &str) -> FirstPassword {
    FirstPassword { hash: cheap(password) }
}

/// Sets the password of a user, whatever the policy.
pub(crate) async fn set(users: &Management, who: &str, password: &str, now: Timestamp) {
    let user = users.show(who).await.expect("found");
    let stored = users.stored().clone();
    let (records, subject) = (stored.records, user.subject);
    let (before, after) = (user.status, user.status.given_password().expect("a password"));
    let new = NewPassword { records, subject, hash: cheap(password), epoch: user.epoch, before, after };
    let set = stored.database.write(move |on| new.set(on, now)).await.expect("written");
    set.expect("nothing has changed");
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

struct Fixture {
    _directory: Temporary,
    users: Management,
    passwords: Passwords,
}

fn fixture(name: &str, policy: PasswordPolicy) -> Fixture {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let stored = StoredUsers { database: Arc::new(database), records: Records { pool: "people".into() } };
    let hasher = Hasher::new(2, costs([]), Hashing::default());
    let passwords = Passwords::new(stored.clone(), policy, hasher);
    Fixture { _directory: directory, users: Management::new(stored), passwords }
}

impl Fixture {
    async fn add(&self, username: &str) -> Record {
        let attributes = vec![("email".into(), "countess@example.com".into()), ("given_name".into(), "Augusta".into())];
        let password = Some(first("the password of before"));
        let new = NewUser { username: username.into(), password, attributes, groups: vec![] };
        self.users.add(new, NOW).await.expect("added")
    }

    /// The user, in this state.
    async fn is(&self, subject: &str, status: Status) -> Record {
        let (stored, of) = (self.passwords.stored.clone(), subject.to_owned());
        let records = stored.records;
        stored.database.write(move |on| records.set_status(on, &of, status, NOW)).await.expect("set");
        self.users.show(subject).await.expect("found")
    }

    async fn has(&self, username: &str, password: &str) -> bool {
        let user = self.users.show(username).await.expect("found");
        verify(&user.password_hash.expect("a password"), &secret(password))
    }
}

#[tokio::test]
async fn a_password_is_set_and_ends_what_was_issued_before() {
    let fixture = fixture("passwords-set", PasswordPolicy::modern());
    let ada = fixture.add("ada").await;
    let set = fixture.passwords.set(&ada, secret("correct horse"), LATER).await.expect("set");
    assert_eq!(set, WasSet { epoch: EPOCH });
    let now = fixture.users.show("ada").await.expect("found");
    assert_eq!((now.epoch, now.modified_at), (set.epoch, LATER));
    // Pool §2.3: with a password of the administrator, a user is confirmed.
    for status in [Status::ResetRequired, Status::ForceChangePassword, Status::Unconfirmed] {
        let user = fixture.is(&now.subject, status).await;
        fixture.passwords.set(&user, secret("correct horse"), LATER).await.expect("set");
        assert_eq!(fixture.users.show("ada").await.expect("found").status, Status::Confirmed);
    }
    let elsewhere = fixture.is(&now.subject, Status::ExternalProvider).await;
    let refused = fixture.passwords.set(&elsewhere, secret("battery staple"), LATER).await;
    assert!(matches!(refused, Err(Error::State(WrongState(Status::ExternalProvider)))), "{refused:?}");
    assert!(fixture.has("ada", "correct horse").await && !fixture.has("ada", "the password of before").await);
}

#[tokio::test]
async fn a_password_that_the_policy_refuses_is_not_set() {
    let fixture = fixture("passwords-policy", PasswordPolicy::modern());
    let ada = fixture.add("Ada1815").await;
    for (password, fault) in [
        ("too short", Fault::TooShort(12)),
        ("it is ada1815 herself", Fault::HasName),
        ("the-countess-herself", Fault::HasName),
        ("augusta herself", Fault::HasName),
    ] {
        let refused = fixture.passwords.set(&ada, secret(password), LATER).await;
        assert!(matches!(refused, Err(Error::Refused(found)) if found == fault), "{password}: {refused:?}");
        let refused = fixture.passwords.first(&ada.username, &ada.attributes, secret(password)).await;
        assert!(matches!(refused, Err(Error::Refused(found)) if found == fault), "{password}: {refused:?}");
    }
    assert_eq!(fixture.users.show(&ada.subject).await.expect("found"), ada);
}

#[tokio::test]
async fn of_two_passwords_at_once_one_is_set() {
    let fixture = fixture("passwords-race", PasswordPolicy::modern());
    let ada = fixture.add("ada").await;
    let one = fixture.passwords.prepare(&ada, secret("correct horse")).await.expect("prepared");
    let other = fixture.passwords.prepare(&ada, secret("battery staple")).await.expect("prepared");
    let write = async |new: NewPassword| {
        fixture.passwords.stored.database.write(move |on| new.set(on, LATER)).await.expect("written")
    };
    assert_eq!(write(one).await, Some(WasSet { epoch: EPOCH }));
    assert_eq!(write(other).await, None);
    assert!(fixture.has("ada", "correct horse").await);
    // Nor is one set after a sign-out or a deletion.
    let ada = fixture.users.show("ada").await.expect("found");
    fixture.users.sign_out("ada", LATER).await.expect("signed out");
    let late = fixture.passwords.set(&ada, secret("battery staple"), LATER).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    let ada = fixture.users.show("ada").await.expect("found");
    fixture.users.delete("ada", LATER).await.expect("deleted");
    let late = fixture.passwords.set(&ada, secret("battery staple"), LATER).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn d_22_who_changes_a_password_waits_for_the_same_hashers() {
    let fixture = fixture("passwords-busy", PasswordPolicy::modern());
    let attributes = Attributes::default();
    let held = fixture.passwords.hasher.block().await;
    let waited = fixture.passwords.first("ada", &attributes, secret("correct horse")).await;
    assert!(matches!(waited, Err(Error::Busy(_))), "{waited:?}");
    drop(held);
    fixture.passwords.first("ada", &attributes, secret("correct horse")).await.expect("hashed");
}

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::MIGRATIONS;
use crate::credential::breach::tests::list_of;
use crate::credential::hasher::{Hashing, costs};
use crate::credential::password::{tests::cheap, verify};
use crate::credential::policy::BreachedAtSignIn;
use crate::database::{Database, Others};
use crate::directory::user::User;
use crate::testing::{Directory as Temporary, temporary_directory};

use crate::management::{Management, NewUser};
use crate::passwords::FirstPassword;
use crate::passwords::after::After;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LATER: Timestamp = Timestamp::from_seconds(1_800_000_060);
/// The first second that counts after what happens at [`LATER`].
const EPOCH: i64 = LATER.seconds().cast_signed() + 1;

/// The password of a user who is added by a test, hashed at the lowest cost.
pub(crate) fn first(password: &str) -> FirstPassword {
    FirstPassword::cheap(password)
}

/// Sets the password of a user, whatever the policy.
pub(crate) async fn set(users: &Management, who: &str, password: &str, now: Timestamp) {
    let user = users.show(who).await.expect("found");
    let stored = users.stored().clone();
    let (records, subject) = (stored.records, user.subject);
    let (before, after) = (user.status, user.status.given_password().expect("a password"));
    let (epoch, lasting) = (user.epoch, Lasting::Permanent);
    let new = NewPassword {
        records,
        subject,
        hash: cheap(password),
        lasting,
        history: 0,
        epoch,
        before,
        after,
        actor: Actor::User,
    };
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

    /// The same with another policy.
    fn with(&self, policy: PasswordPolicy) -> Passwords {
        Passwords { policy, ..self.passwords.clone() }
    }

    /// How many former passwords are kept, of all users.
    async fn former(&self) -> i64 {
        let count = |on: &mut Transaction<'_>| on.query_one("SELECT count(*) FROM password_history", &[]);
        let row = self.passwords.stored.database.read(count).await.expect("read");
        row.expect("a row").integer(0).expect("a number")
    }

    /// What the hashes of other systems cost.
    async fn costs(&self) -> Vec<String> {
        let records = self.passwords.stored.records.clone();
        self.passwords.stored.database.read(move |on| records.foreign_costs(on, 4)).await.expect("read")
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
    let set = fixture.passwords.set(&ada, secret("correct horse"), Lasting::Permanent, LATER).await.expect("set");
    assert_eq!(set, WasSet { epoch: EPOCH });
    let now = fixture.users.show("ada").await.expect("found");
    assert_eq!((now.epoch, now.modified_at), (set.epoch, LATER));
    // Pool §2.3: with a password of the administrator, a user is confirmed.
    for status in [Status::ResetRequired, Status::ForceChangePassword, Status::Unconfirmed] {
        let user = fixture.is(&now.subject, status).await;
        fixture.passwords.set(&user, secret("correct horse"), Lasting::Permanent, LATER).await.expect("set");
        assert_eq!(fixture.users.show("ada").await.expect("found").status, Status::Confirmed);
    }
    let elsewhere = fixture.is(&now.subject, Status::ExternalProvider).await;
    let refused = fixture.passwords.set(&elsewhere, secret("battery staple"), Lasting::Permanent, LATER).await;
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
        let refused = fixture.passwords.set(&ada, secret(password), Lasting::Permanent, LATER).await;
        assert!(matches!(refused, Err(Error::Refused(found)) if found == fault), "{password}: {refused:?}");
        let refused =
            fixture.passwords.first(&ada.username, &ada.attributes, secret(password), Lasting::Permanent).await;
        assert!(matches!(refused, Err(Error::Refused(found)) if found == fault), "{password}: {refused:?}");
    }
    assert_eq!(fixture.users.show(&ada.subject).await.expect("found"), ada);
}

#[tokio::test]
async fn of_two_passwords_at_once_one_is_set() {
    let fixture = fixture("passwords-race", PasswordPolicy::modern());
    let ada = fixture.add("ada").await;
    let one = fixture.passwords.prepare(&ada, secret("correct horse"), Lasting::Permanent).await.expect("prepared");
    let other = fixture.passwords.prepare(&ada, secret("battery staple"), Lasting::Permanent).await.expect("prepared");
    let write = async |new: NewPassword| {
        fixture.passwords.stored.database.write(move |on| new.set(on, LATER)).await.expect("written")
    };
    assert_eq!(write(one).await, Some(WasSet { epoch: EPOCH }));
    assert_eq!(write(other).await, None);
    assert!(fixture.has("ada", "correct horse").await);
    // Nor is one set after a sign-out or a deletion.
    let ada = fixture.users.show("ada").await.expect("found");
    fixture.users.sign_out("ada", LATER).await.expect("signed out");
    let late = fixture.passwords.set(&ada, secret("battery staple"), Lasting::Permanent, LATER).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    let ada = fixture.users.show("ada").await.expect("found");
    fixture.users.delete("ada", LATER).await.expect("deleted");
    let late = fixture.passwords.set(&ada, secret("battery staple"), Lasting::Permanent, LATER).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn d_22_who_changes_a_password_waits_for_the_same_hashers() {
    let fixture = fixture("passwords-busy", PasswordPolicy::modern());
    let attributes = Attributes::default();
    let held = fixture.passwords.hasher.block().await;
    let waited = fixture.passwords.first("ada", &attributes, secret("correct horse"), Lasting::Permanent).await;
    assert!(matches!(waited, Err(Error::Busy(_))), "{waited:?}");
    drop(held);
    fixture.passwords.first("ada", &attributes, secret("correct horse"), Lasting::Permanent).await.expect("hashed");
}

#[tokio::test]
async fn passwords_of_before_are_refused_as_the_history_says() {
    let fixture = fixture("passwords-history", PasswordPolicy { history: 3, ..PasswordPolicy::modern() });
    fixture.add("ada").await;
    let set = async |password: &str| {
        let ada = fixture.users.show("ada").await.expect("found");
        match fixture.passwords.set(&ada, secret(password), Lasting::Permanent, LATER).await {
            Ok(_) => true,
            Err(Error::Refused(Fault::UsedBefore)) => false,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(!set("the password of before").await, "it is the current one");
    assert!(set("correct horse 1").await);
    assert!(set("correct horse 2").await);
    for used in ["the password of before", "correct horse 1", "correct horse 2"] {
        assert!(!set(used).await, "{used}");
    }
    assert!(set("correct horse 3").await);
    assert!(set("the password of before").await, "three others were set meanwhile");
    assert_eq!(fixture.former().await, 2, "no more are kept than are needed");
    // Without a history, what was kept goes with the next change, and the same password may be set again.
    let other = Fixture { passwords: fixture.with(PasswordPolicy::modern()), ..fixture };
    let ada = other.users.show("ada").await.expect("found");
    other.passwords.set(&ada, secret("the password of before"), Lasting::Permanent, LATER).await.expect("set");
    assert_eq!(other.former().await, 0);
}

#[tokio::test]
async fn what_is_not_set_leaves_no_trace_in_the_history() {
    let fixture = fixture("passwords-history-race", PasswordPolicy { history: 5, ..PasswordPolicy::modern() });
    let ada = fixture.add("ada").await;
    fixture.users.sign_out("ada", LATER).await.expect("signed out");
    let late = fixture.passwords.set(&ada, secret("correct horse"), Lasting::Permanent, LATER).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    assert_eq!(fixture.former().await, 0);
    fixture.users.delete("ada", LATER).await.expect("deleted");
    let ada = fixture.add("ada").await;
    fixture.passwords.set(&ada, secret("correct horse"), Lasting::Permanent, LATER).await.expect("set");
    assert_eq!(fixture.former().await, 1);
    fixture.users.delete("ada", LATER).await.expect("deleted");
    assert_eq!(fixture.former().await, 0, "it goes with the user");
}

#[tokio::test]
async fn a_password_that_attackers_know_is_refused() {
    let directory = temporary_directory("passwords-breached-list");
    let list = list_of(&directory, &["correct horse"]);
    let policy = PasswordPolicy { breach_list: Some(list), ..PasswordPolicy::modern() };
    let fixture = fixture("passwords-breached", policy);
    let ada = fixture.add("ada").await;
    let refused = fixture.passwords.set(&ada, secret("correct horse"), Lasting::Permanent, LATER).await;
    assert!(matches!(refused, Err(Error::Refused(Fault::Breached))), "{refused:?}");
    let refused =
        fixture.passwords.first("eve", &Attributes::default(), secret("correct horse"), Lasting::Permanent).await;
    assert!(matches!(refused, Err(Error::Refused(Fault::Breached))), "{refused:?}");
    fixture.passwords.set(&ada, secret("battery staple"), Lasting::Permanent, LATER).await.expect("set");
}

#[tokio::test]
async fn a_temporary_password_only_leads_to_another_one() {
    let fixture = fixture("passwords-temporary", PasswordPolicy { history: 3, ..PasswordPolicy::modern() });
    let ada = fixture.add("ada").await;
    let (password, set) = fixture.passwords.set_temporary(&ada, NOW).await.expect("set");
    let user = fixture.users.show("ada").await.expect("found");
    assert_eq!((user.status, user.epoch), (Status::ForceChangePassword, set.epoch));
    assert_eq!(user.temporary_until, Some(NOW + Duration::from_secs(7 * 86_400)));
    assert!(fixture.has("ada", password.expose()).await);
    // Pool §2.4: the new one may be the same. One of before may not.
    let used = fixture.passwords.set(&user, secret("the password of before"), Lasting::Permanent, LATER).await;
    assert!(matches!(used, Err(Error::Refused(Fault::UsedBefore))), "{used:?}");
    fixture.passwords.set(&user, password, Lasting::Permanent, LATER).await.expect("set");
    let user = fixture.users.show("ada").await.expect("found");
    assert_eq!((user.status, user.temporary_until), (Status::Confirmed, None));
    let (password, first) = fixture.passwords.first_temporary("eve", &Attributes::default(), NOW).await.expect("made");
    let new = NewUser { username: "eve".into(), password: Some(first), attributes: vec![], groups: vec![] };
    let eve = fixture.users.add(new, NOW).await.expect("added");
    assert_eq!(eve.status, Status::ForceChangePassword);
    assert!(eve.temporary_until.is_some() && fixture.has("eve", password.expose()).await);
}

#[tokio::test]
async fn a_hash_of_another_system_is_replaced_at_the_first_sign_in_and_nothing_ends() {
    let fixture = fixture("passwords-upgrade", PasswordPolicy::modern());
    let bcrypt = "$2b$04$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6";
    let password = FirstPassword::imported(secret(bcrypt)).expect("a hash");
    let new = NewUser { username: "ada".into(), password: Some(password), attributes: vec![], groups: vec![] };
    let ada = fixture.users.add(new, NOW).await.expect("added");
    assert_eq!(fixture.costs().await, ["bcrypt 4"]);
    let user = User::stored(ada.clone()).expect("a user");
    let right = secret("correct horse battery staple");
    assert_eq!(fixture.passwords.was_right(&user, right.clone(), LATER).await.expect("read"), After::GoOn);
    let after = fixture.users.show("ada").await.expect("found");
    assert!(after.password_hash.as_ref().is_some_and(|hash| hash.expose().starts_with("$argon2id$")));
    assert!(fixture.has("ada", right.expose()).await);
    assert_eq!((after.epoch, after.modified_at), (ada.epoch, ada.modified_at));
    assert_eq!(User::stored(after.clone()).expect("a user").fingerprint(), user.fingerprint(), "nothing ends");
    assert!(fixture.costs().await.is_empty());
    // Once more with what was read before: a hash that is not there any more is not replaced.
    assert_eq!(fixture.passwords.was_right(&user, right, LATER).await.expect("read"), After::GoOn);
    assert_eq!(fixture.users.show("ada").await.expect("found").password_hash, after.password_hash);
    for text in ["hunter2", "$2b$31$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6"] {
        assert!(FirstPassword::imported(secret(text)).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_right_password_that_attackers_know_must_be_reset() {
    let directory = temporary_directory("passwords-right-list");
    let list = list_of(&directory, &["the password of before"]);
    let policy = |breached_at_sign_in| PasswordPolicy {
        breach_list: Some(list.clone()),
        breached_at_sign_in,
        ..PasswordPolicy::modern()
    };
    let fixture = fixture("passwords-right", policy(BreachedAtSignIn::Allow));
    let ada = User::stored(fixture.add("ada").await).expect("a user");
    let right = || secret("the password of before");
    assert_eq!(fixture.passwords.was_right(&ada, right(), LATER).await.expect("read"), After::GoOn);
    // The hash of the test is cheap, and has just been replaced.
    let ada = User::stored(fixture.users.show("ada").await.expect("found")).expect("a user");
    let fixture = Fixture { passwords: fixture.with(policy(BreachedAtSignIn::Reset)), ..fixture };
    assert_eq!(fixture.passwords.was_right(&ada, secret("battery staple"), LATER).await.expect("read"), After::GoOn);
    assert_eq!(fixture.users.show("ada").await.expect("found").status, Status::Confirmed);
    assert_eq!(fixture.passwords.was_right(&ada, right(), LATER).await.expect("read"), After::MustReset);
    let held = fixture.users.show("ada").await.expect("found");
    assert_eq!((held.status, held.epoch), (Status::ResetRequired, EPOCH));
}

#[tokio::test]
async fn u_01_the_costs_of_all_other_systems_are_known_and_bounded() {
    let fixture = fixture("passwords-costs", PasswordPolicy::modern());
    let bcrypt = "$2b$04$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6";
    let add = async |username: &str, hash: String| {
        let password = Some(FirstPassword::imported(secret(&hash)).expect("a hash"));
        let new = NewUser { username: username.into(), password, attributes: vec![], groups: vec![] };
        fixture.users.add(new, NOW).await.expect("added");
    };
    for number in 0..3 {
        add(&format!("user{number}"), bcrypt.to_owned()).await;
    }
    for cost in ["05", "06", "07", "08"] {
        add(&format!("user-{cost}"), bcrypt.replace("$04$", &format!("${cost}$"))).await;
    }
    assert_eq!(fixture.costs().await, ["bcrypt 4", "bcrypt 5", "bcrypt 6", "bcrypt 7"]);
    for username in ["user0", "user1", "user-05", "user-06", "user-07"] {
        fixture.users.delete(username, LATER).await.expect("deleted");
    }
    assert_eq!(fixture.costs().await, ["bcrypt 4", "bcrypt 8"]);
}

use std::sync::Arc;

use super::*;
use crate::database::{Database, Others};
use crate::directory::StoredUsers;
use crate::directory::settings::Settings;
use crate::secret::Secret;
use crate::testing::{Directory as Temporary, temporary_directory};
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const BCRYPT: &str = "$2b$04$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s.";

fn management(name: &str) -> (Temporary, Management) {
    let folder = temporary_directory(name);
    let database = Database::open(&folder.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let users =
        Management::new(StoredUsers { database: Arc::new(database), records: Records { pool: "people".into() } });
    (folder, users)
}

fn row(name: &str, attributes: &[(&str, &str)]) -> Row {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Row { attributes, ..Row::named(name.to_owned()) }
}

fn user(row: Row) -> Item {
    Item::User(Box::new(row))
}

#[track_caller]
fn refused(result: Result<Imported, Error>, why: &str) {
    let text = result.expect_err("refused").to_string();
    assert!(text.contains(why), "{text}");
}

#[tokio::test]
async fn a_user_without_a_password_has_to_choose_one_and_with_a_hash_keeps_it() {
    let (_folder, users) = management("import-states");
    assert_eq!(users.import(user(row("ada", &[])), false, NOW).await.expect("imported"), Imported::Added);
    assert_eq!(users.show("ada").await.expect("found").status, Status::ResetRequired);
    let hash = crate::credential::password::tests::cheap("x");
    let with_hash = |name: &str| Row { password_hash: Some(hash.clone()), ..row(name, &[]) };
    users.import(user(with_hash("bob")), false, NOW).await.expect("imported");
    let bob = users.show("bob").await.expect("found");
    assert_eq!((bob.status, bob.password_hash), (Status::Confirmed, Some(hash.clone())));
    let forced = Row { status: Some(Status::ForceChangePassword), ..with_hash("eve") };
    refused(users.import(user(forced), false, NOW).await, "temporary_until");
    let bad = Row { password_hash: Some(Secret::new("md5$x".into())), ..row("dan", &[]) };
    let why = users.import(user(bad), false, NOW).await.expect_err("refused").to_string();
    assert!(why.contains("password_hash") && !why.contains("md5"), "{why}");
    let short = Row { password_hash: Some(Secret::new(BCRYPT.into())), ..row("dan", &[]) };
    refused(users.import(user(short), false, NOW).await, "password_hash");
}

#[tokio::test]
async fn whoever_is_there_already_is_left_alone() {
    let (_folder, users) = management("import-again");
    let subject = |subject: &str| Some(subject.to_owned());
    let ada = |name: &str| Row { subject: subject("s-1"), ..row("ada", &[("name", name)]) };
    for (is_trial, expected) in
        [(true, Imported::Added), (false, Imported::Added), (false, Imported::Exists), (true, Imported::Exists)]
    {
        assert_eq!(users.import(user(ada("Ada")), is_trial, NOW).await.expect("imported"), expected);
    }
    assert_eq!(users.import(user(row("ADA", &[("name", "x")])), false, NOW).await.expect("there"), Imported::Exists);
    assert_eq!(users.show("ada").await.expect("found").attributes.get("name"), Some("Ada"));
    for is_trial in [true, false] {
        let other = Row { subject: subject("s-2"), ..row("ada", &[]) };
        refused(users.import(user(other), is_trial, NOW).await, "there is already a user `ada`");
        let other = Row { subject: subject("s-1"), ..row("bob", &[]) };
        refused(users.import(user(other), is_trial, NOW).await, "another user has the `sub`");
        let other = Row { subject: subject("s 1"), ..row("bob", &[]) };
        refused(users.import(user(other), is_trial, NOW).await, "letters, digits and hyphens");
    }
}

#[tokio::test]
async fn a_trial_says_the_same_and_changes_nothing() {
    let (_folder, users) = management("import-trial");
    let rows: [(&dyn Fn() -> Row, Option<&str>); 4] = [
        (&|| row("ada", &[("email", "ada@example.com")]), None),
        (&|| row("bob", &[("email", "bob")]), Some("`email` is not an e-mail address")),
        (&|| Row { groups: vec!["ops".into()], ..row("eve", &[]) }, Some("there is no group `ops`")),
        (&|| row("a b", &[]), Some("cannot be a user name")),
    ];
    for is_trial in [true, false] {
        for (row, why) in rows {
            let imported = users.import(user(row()), is_trial, NOW).await;
            match why {
                None => assert_eq!(imported.expect("imported"), Imported::Added),
                Some(why) => refused(imported, why),
            }
        }
        assert_eq!(users.count().await.expect("read"), u64::from(!is_trial));
    }
}

#[tokio::test]
async fn where_the_address_is_the_name_the_name_of_the_file_does_not_count() {
    let (_folder, users) = management("import-address");
    let users = users.with_rules(Arc::new(Settings { usernames: Usernames::Email, ..Settings::default() }));
    let ada = || row("whatever", &[("email", "Ada@example.com"), ("email_verified", "true")]);
    assert_eq!(users.import(user(ada()), false, NOW).await.expect("imported"), Imported::Added);
    assert_eq!(users.import(user(ada()), false, NOW).await.expect("there"), Imported::Exists);
    let found = users.show("ada@example.com").await.expect("found");
    assert_eq!((found.username == found.subject, found.attributes.is_verified("email")), (true, true));
    refused(users.import(user(row("whatever", &[])), false, NOW).await, "is not an e-mail address");
}

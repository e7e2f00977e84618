use std::sync::Arc;

use super::*;
use crate::database::{Database, Others};
use crate::directory::Directory;
use crate::directory::name::UserName;
use crate::directory::settings::Usernames;
use crate::management::{Group, NewUser};
use crate::passwords::tests::{first, set};
use crate::testing::{Directory as Temporary, temporary_directory};
use crate::{MIGRATIONS, Records};

mod names;
mod sent;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn database(name: &str) -> (Temporary, Arc<Database>) {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    (directory, Arc::new(database))
}

fn of(database: &Arc<Database>, pool: &str) -> Management {
    Management::new(StoredUsers { database: Arc::clone(database), records: Records { pool: pool.into() } })
}

fn new(username: &str) -> NewUser {
    NewUser { username: username.into(), password: None, attributes: vec![], groups: vec![] }
}

fn group(name: &str, precedence: Option<i64>) -> Group {
    Group { name: name.into(), description: None, precedence }
}

#[tokio::test]
async fn a_user_is_added_found_changed_and_deleted() {
    let (_directory, database) = database("management-user");
    let users = of(&database, "people");
    let wanted = NewUser { attributes: vec![("email".into(), "ada@example.com".into())], ..new(" Ada ") };
    let ada = users.add(wanted, NOW).await.expect("added");
    assert_eq!((ada.username.as_str(), ada.is_enabled, ada.subject.len()), ("Ada", true, 36));
    for who in ["ada", "ADA", &ada.subject] {
        assert_eq!(users.show(who).await.expect("found"), ada, "{who}");
    }
    let later = Timestamp::from_seconds(1_800_000_060);
    set(&users, "ada", "correct horse", later).await;
    let changes = vec![("name".into(), "Ada L.".into()), ("email".into(), String::new())];
    users.set_attributes("ada", changes, later).await.expect("set");
    users.set_enabled(&ada.subject, false, later).await.expect("disabled");
    let changed = users.show("ada").await.expect("found");
    let attributes: Vec<_> = changed.attributes.iter().collect();
    assert_eq!(attributes, [("name", "Ada L.")]);
    assert_eq!((changed.is_enabled, changed.modified_at, changed.created_at), (false, later, NOW));
    assert!(changed.password_hash.is_some());
    users.delete("ada", NOW).await.expect("deleted");
    assert!(matches!(users.show("ada").await, Err(Error::NoUser(_))));
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let (_directory, database) = database("management-refused");
    let users = of(&database, "people");
    let ada = users.add(new("ada"), NOW).await.expect("added");
    let taken = users.add(new("ＡＤＡ"), NOW).await;
    assert!(matches!(taken, Err(Error::Taken(_))), "attacks U-04: {taken:?}");
    let nameless = users.add(new(" "), NOW).await;
    assert!(matches!(nameless, Err(Error::UserName(_))), "{nameless:?}");
    let alone = users.add(NewUser { groups: vec!["none".into()], ..new("bob") }, NOW).await;
    assert!(matches!(alone, Err(Error::NoGroup(_))), "{alone:?}");
    assert!(matches!(users.show("bob").await, Err(Error::NoUser(_))), "nobody was added");
    let changes = vec![("name".into(), "Ada L.".into()), ("colour".into(), "red".into())];
    let attribute = users.set_attributes("ada", changes, NOW).await;
    assert!(matches!(attribute, Err(Error::Attribute(Fault::Unknown(_)))), "{attribute:?}");
    assert_eq!(users.show("ada").await.expect("found"), ada);
    for nobody in
        [users.delete("eve", NOW).await, users.set_enabled("eve", true, NOW).await, users.join("eve", "x", NOW).await]
    {
        assert!(matches!(nobody, Err(Error::NoUser(_))), "{nobody:?}");
    }
    // The audit says so, with the user if there is one, and without names that nobody has.
    let audited = users.audited(None, 100).await.expect("read");
    let refused = audited.iter().rev().filter(|entry| entry.outcome == Outcome::Failed);
    let refused: Vec<_> = refused.map(|entry| (&*entry.operation, entry.subject.as_deref())).collect();
    let add = ("user.add", None);
    let of_ada = ("user.attributes", Some(&*ada.subject));
    let of_nobody = [("user.delete", None), ("user.enable", None), ("group.join", None)];
    assert_eq!(refused, [&[add, add, of_ada][..], &of_nobody].concat());
}

#[tokio::test]
async fn pools_of_one_database_know_nothing_of_each_other() {
    let (_directory, database) = database("management-pools");
    let (people, machines) = (of(&database, "people"), of(&database, "machines"));
    let ada = people.add(new("ada"), NOW).await.expect("added");
    assert!(matches!(machines.show("ada").await, Err(Error::NoUser(_))));
    assert!(matches!(machines.show(&ada.subject).await, Err(Error::NoUser(_))));
    let other = machines.add(new("ada"), NOW).await.expect("the name is free there");
    assert_ne!(other.subject, ada.subject);
    machines.delete("ada", NOW).await.expect("deleted");
    assert_eq!(people.show("ada").await.expect("found"), ada);
}

#[tokio::test]
async fn groups_come_strongest_first_and_go_with_their_members() {
    let (_directory, database) = database("management-groups");
    let users = of(&database, "people");
    for group in [group("weak", None), group("strong", Some(1)), group("middle", Some(7)), group("also-weak", None)] {
        users.put_group(group, NOW).await.expect("added");
    }
    let groups = vec!["weak".into(), "middle".into(), "strong".into()];
    users.add(NewUser { groups, ..new("ada") }, NOW).await.expect("added");
    users.join("ada", "also-weak", NOW).await.expect("joined");
    users.join("ada", "also-weak", NOW).await.expect("once more is no harm");
    let of_ada = async || users.show("ada").await.expect("found").groups;
    assert_eq!(of_ada().await, ["strong", "middle", "also-weak", "weak"]);
    users.put_group(group("middle", Some(0)), NOW).await.expect("changed");
    users.leave("ada", "weak", NOW).await.expect("left");
    assert_eq!(of_ada().await, ["middle", "strong", "also-weak"]);
    users.delete_group("strong", NOW).await.expect("deleted");
    assert_eq!(of_ada().await, ["middle", "also-weak"]);
    assert!(matches!(users.delete_group("strong", NOW).await, Err(Error::NoGroup(_))));
    for name in ["", "a\nb", &"x".repeat(129)] {
        assert!(matches!(users.put_group(group(name, None), NOW).await, Err(Error::GroupName(_))), "{name:?}");
    }
    users.delete("ada", NOW).await.expect("deleted");
    let left = users.groups().await.expect("listed");
    assert_eq!(left.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["also-weak", "middle", "weak"]);
}

#[tokio::test]
async fn a_user_of_the_configuration_comes_before_one_of_the_database() {
    let (_directory, database) = database("management-both");
    let users = of(&database, "people");
    users.add(NewUser { password: Some(first("stored")), ..new("Ada") }, NOW).await.expect("added");
    let bob = users.add(NewUser { password: Some(first("stored")), ..new("bob") }, NOW).await.expect("added");
    let declared = crate::settings::UserSettings {
        username: "ada".into(),
        password_hash: crate::credential::password::tests::cheap("declared"),
        subject: "1815".into(),
        claims: crate::identity::Claims::new(),
    };
    let directory = Directory::new(vec![declared], vec![], Some(users.stored.clone()));
    let named = async |name: &str| {
        let name = UserName::parse(name).expect("a name");
        directory.user_named(&name).await.expect("read").map(|user| user.subject().to_owned())
    };
    assert_eq!(named("ADA").await.as_deref(), Some("1815"));
    assert_eq!(named("Bob").await, Some(bob.subject.clone()));
    assert_eq!(named("eve").await, None);
    let user = directory.user_named(&UserName::parse("bob").expect("a name")).await.expect("read").expect("bob");
    assert!(directory.user(&bob.subject, user.fingerprint()).await.expect("read").is_some());
    users.set_enabled("bob", false, NOW).await.expect("disabled");
    assert!(directory.user(&bob.subject, user.fingerprint()).await.expect("read").is_none(), "disabled");
    users.set_enabled("bob", true, NOW).await.expect("enabled");
    assert!(directory.user(&bob.subject, user.fingerprint()).await.expect("read").is_none(), "it stays so");
    let again =
        async || directory.user_named(&UserName::parse("bob").expect("a name")).await.expect("read").expect("bob");
    let user = again().await;
    users.sign_out("bob", NOW).await.expect("signed out");
    assert!(directory.user(&bob.subject, user.fingerprint()).await.expect("read").is_none(), "signed out");
    let user = again().await;
    set(&users, "bob", "battery staple", NOW).await;
    assert!(directory.user(&bob.subject, user.fingerprint()).await.expect("read").is_none(), "another password");
}

fn with(attributes: &[(&str, &str)], username: &str) -> NewUser {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewUser { attributes, ..new(username) }
}

/// The `sub` of who signs in by this name.
async fn signing_in(users: &Management, name: &str) -> Option<String> {
    let directory = Directory::new(vec![], vec![], Some(users.stored.clone())).with_rules(Arc::clone(&users.rules));
    let name = UserName::parse(name).expect("a name");
    directory.user_named(&name).await.expect("read").map(|user| user.subject().to_owned())
}

#[tokio::test]
async fn a_verified_address_is_the_alias_of_one_user() {
    let (_directory, database) = database("management-aliases");
    let aliases = vec![Alias::Email, Alias::PhoneNumber, Alias::PreferredUsername];
    let users = of(&database, "people").with_rules(Arc::new(Settings { aliases, ..Settings::default() }));
    let address = ("email", "ada@example.com");
    let ada = users.add(with(&[address, ("email_verified", "true"), ("preferred_username", "countess")], "ada"), NOW);
    let ada = ada.await.expect("added");
    let other = users.add(with(&[address], "other"), NOW).await.expect("not verified: no alias");
    assert_eq!(signing_in(&users, "Ada@Example.com").await.as_ref(), Some(&ada.subject));
    assert_eq!(signing_in(&users, "Countess").await.as_ref(), Some(&ada.subject));
    let verified = users.set_attributes("other", vec![("email_verified".into(), "true".into())], NOW).await;
    assert!(matches!(verified, Err(Error::AliasTaken(Alias::Email))), "{verified:?}");
    for taken in ["countess", "ADA"] {
        let named = users.set_attributes("other", vec![("preferred_username".into(), taken.into())], NOW).await;
        assert!(matches!(named, Err(Error::AliasTaken(Alias::PreferredUsername))), "{taken}: {named:?}");
    }
    for name in ["x@example.com", "+4930123456"] {
        let added = users.add(new(name), NOW).await;
        assert!(matches!(added, Err(Error::LooksLikeAlias(..))), "{name}: {added:?}");
    }
    // It goes with the address.
    users.set_attributes("ada", vec![("email".into(), "lovelace@example.com".into())], NOW).await.expect("set");
    assert_eq!(signing_in(&users, "ada@example.com").await, None);
    users.set_attributes("other", vec![("email_verified".into(), "true".into())], NOW).await.expect("free");
    assert_eq!(signing_in(&users, "ada@example.com").await, Some(other.subject.clone()));
    let back = vec![("email".into(), "ada@example.com".into()), ("email_verified".into(), "true".into())];
    users.clone().taking_aliases().set_attributes("ada", back, NOW).await.expect("taken");
    assert_eq!(signing_in(&users, "ada@example.com").await.as_ref(), Some(&ada.subject));
    let left = users.show("other").await.expect("found").attributes;
    assert_eq!((left.get("email"), left.is_verified("email")), (Some("ada@example.com"), false));
}

#[tokio::test]
async fn where_the_address_is_the_name_the_user_name_is_the_subject() {
    let (_directory, database) = database("management-addresses");
    let declared = [("boss@example.com".to_owned(), "sub-of-boss".to_owned())].into();
    let rules = Settings { usernames: Usernames::Email, declared, ..Settings::default() };
    let users = of(&database, "people").with_rules(Arc::new(rules));
    let ada = users.add(new("Ada@Example.com"), NOW).await.expect("added");
    assert_eq!((&ada.username, ada.attributes.get("email")), (&ada.subject, Some("Ada@Example.com")));
    for name in ["ada@example.com", &ada.subject] {
        assert_eq!(signing_in(&users, name).await.as_ref(), Some(&ada.subject), "{name}");
        assert_eq!(users.show(name).await.expect("found"), ada, "{name}");
    }
    for taken in ["ADA@example.com", "Boss@example.com"] {
        let added = users.add(new(taken), NOW).await;
        assert!(matches!(added, Err(Error::Taken(_))), "{taken}: {added:?}");
    }
    assert!(matches!(users.add(new("ada"), NOW).await, Err(Error::NoAddress(_))));
    let bob = users.add(new("bob@example.com"), NOW).await.expect("added");
    let change = async |to: &str| users.set_attributes(&bob.subject, vec![("email".into(), to.into())], NOW).await;
    assert!(matches!(change("ADA@example.com").await, Err(Error::AliasTaken(Alias::Email))));
    change("robert@example.com").await.expect("changed");
    assert_eq!(signing_in(&users, "robert@example.com").await.as_ref(), Some(&bob.subject));
    assert_eq!(signing_in(&users, "bob@example.com").await, None);
}

/// The administrator says whose address it is.
#[tokio::test]
async fn who_is_confirmed_by_an_administrator_signs_in_by_the_address() {
    let (_directory, database) = database("management-confirmed");
    let rules = Settings { usernames: Usernames::Email, ..Settings::default() };
    let users = of(&database, "people").with_rules(Arc::new(rules));
    let ada = users.add(new("ada@example.com"), NOW).await.expect("added");
    let again = |subject: String| {
        let records = users.stored.records.clone();
        let sql = "DELETE FROM aliases WHERE pool = ?1 AND sub = ?2";
        database.write(move |on| {
            on.execute(sql, &["people".into(), (&*subject).into()])?;
            records.set_status(on, &subject, Status::Unconfirmed, NOW)
        })
    };
    again(ada.subject.clone()).await.expect("as after a sign-up");
    assert_eq!(signing_in(&users, "ada@example.com").await, None);
    users.confirm(&ada.subject, NOW).await.expect("confirmed");
    assert_eq!(signing_in(&users, "ada@example.com").await, Some(ada.subject.clone()));
    again(ada.subject.clone()).await.expect("as after a sign-up");
    users.add(new("Ada@example.com"), NOW).await.expect("somebody else was added meanwhile");
    assert!(matches!(users.confirm(&ada.subject, NOW).await, Err(Error::AliasTaken(Alias::Email))));
}

#[tokio::test]
async fn a_name_of_the_configuration_and_a_name_with_white_space_are_nobodys() {
    let (_directory, database) = database("management-names");
    let rules = Settings { declared: [("ada".to_owned(), "sub-of-ada".to_owned())].into(), ..Settings::default() };
    let users = of(&database, "people").with_rules(Arc::new(rules));
    assert!(matches!(users.add(new("ADA"), NOW).await, Err(Error::Taken(_))));
    for name in ["a b", &"x".repeat(129)] {
        assert!(matches!(users.add(new(name), NOW).await, Err(Error::UserName(_))), "{name}");
    }
    users.add(new(&"x".repeat(128)), NOW).await.expect("added");
}

#[tokio::test]
async fn groups_have_their_limits() {
    let (_directory, database) = database("management-group-limits");
    let users = of(&database, "people");
    let ada = users.add(new("ada"), NOW).await.expect("added").subject;
    let records = users.stored.records.clone();
    let filled = users.stored.database.write(move |on| {
        for number in 0..GROUPS_MAX {
            records.put_group(on, &group(&format!("g{number}"), None), NOW)?;
            if number < GROUPS_OF_USER_MAX {
                assert!(records.join(on, &ada, &format!("g{number}"))?);
            }
        }
        Ok(())
    });
    filled.await.expect("filled");
    users.put_group(group("g7", Some(1)), NOW).await.expect("changed");
    assert!(matches!(users.put_group(group("more", None), NOW).await, Err(Error::TooManyGroups)));
    users.join("ada", "g7", NOW).await.expect("is in it");
    assert!(matches!(users.join("ada", "g100", NOW).await, Err(Error::InTooManyGroups)));
}

//! A name or an alias leads to one user.

use super::*;
use crate::directory::settings::Declared;

const ALL: [Alias; 3] = [Alias::Email, Alias::PhoneNumber, Alias::PreferredUsername];

/// Users who sign in by all aliases, beside Filey of the configuration.
fn of_all(database: &Arc<Database>, filey: &str) -> Management {
    let declared = Declared::from([(filey.to_owned(), "sub-of-filey".to_owned())]);
    of(database, "people").with_rules(Arc::new(Settings { aliases: ALL.to_vec(), declared, ..Settings::default() }))
}

async fn set_one(users: &Management, who: &str, name: &str, value: &str) -> Result<(), Error> {
    users.set_attributes(who, vec![(name.to_owned(), value.to_owned())], NOW).await
}

#[tokio::test]
async fn nobody_gets_a_name_that_is_the_alias_of_another() {
    let (_directory, database) = database("names-add");
    let users = of_all(&database, "filey");
    let verified = [("email", "ada@example.com"), ("email_verified", "true"), ("preferred_username", "zoe")];
    let ada = users.add(with(&verified, "ada"), NOW).await.expect("added");
    for name in ["zoe", "ZOE "] {
        let refused = users.add(new(name), NOW).await;
        assert!(matches!(refused, Err(Error::NameIsAlias(_))), "{refused:?}");
        let said = refused.expect_err("refused").to_string();
        assert_eq!(
            said,
            format!(
                "another user signs in by `{}`: choose another name, or change the alias of that user first",
                name.trim()
            )
        );
    }
    // The `sub` of a user leads to that user as well.
    let refused = users.add(new(&ada.subject), NOW).await;
    assert!(matches!(refused, Err(Error::Taken(_))), "{refused:?}");
    assert_eq!(signing_in(&users, "zoe").await, Some(ada.subject));
}

#[tokio::test]
async fn nobody_gets_an_alias_that_is_a_name_or_an_alias_of_another() {
    let (_directory, database) = database("names-alias");
    let users = of_all(&database, "filey");
    let bob = [
        ("email", "bob@example.com"),
        ("email_verified", "true"),
        ("phone_number", "+49170123"),
        ("phone_number_verified", "true"),
        ("preferred_username", "bobby"),
    ];
    let bob = users.add(with(&bob, "bob"), NOW).await.expect("added");
    users.add(new("eve"), NOW).await.expect("added");
    for taken in ["bob", "Bobby", "BOB@example.com", "+49 170 123", "filey", &bob.subject, "sub-of-filey"] {
        let refused = set_one(&users, "eve", "preferred_username", taken).await;
        let is_refused = |result: &Result<(), Error>| match result {
            Err(Error::LooksLikeAlias(..)) => taken.contains(['@', '+']),
            Err(Error::AliasTaken(Alias::PreferredUsername)) => true,
            _ => false,
        };
        assert!(is_refused(&refused), "{taken}: {refused:?}");
        let added = users.add(with(&[("preferred_username", taken)], "mallory"), NOW).await.map(drop);
        assert!(is_refused(&added), "{taken}: {added:?}");
    }
    // Nobody keeps another from verifying an address one day.
    for address in ["evelyn@example.com", "+49 (170) 999"] {
        let refused = set_one(&users, "eve", "preferred_username", address).await;
        assert!(matches!(refused, Err(Error::LooksLikeAlias(..))), "{address}: {refused:?}");
    }
    // Where addresses are taken over: what is refused changes nothing.
    let taking = users.clone().taking_aliases();
    let both = |name: &str| {
        let all = [("email", "bob@example.com"), ("email_verified", "true"), ("preferred_username", name)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    let refused = taking.set_attributes("eve", both("bobby"), NOW).await;
    assert!(matches!(refused, Err(Error::AliasTaken(Alias::PreferredUsername))), "{refused:?}");
    assert_eq!(users.show("bob@example.com").await.expect("found").subject, bob.subject);
    assert!(users.show("bob").await.expect("found").attributes.is_verified("email"));
    // One's own names may be the same.
    for own in ["eve", "bob@example.com"] {
        taking.set_attributes("eve", both(own), NOW).await.expect("her own");
    }
    assert_ne!(users.show("bob@example.com").await.expect("found").subject, bob.subject, "taken over");
}

#[tokio::test]
async fn an_address_of_the_configuration_is_nobodys_alias() {
    let (_directory, database) = database("names-declared");
    let users = of_all(&database, "filey@example.com");
    users.add(new("eve"), NOW).await.expect("added");
    let verified = [("email", "Filey@example.com"), ("email_verified", "true")];
    let verified = verified.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    for users in [users.clone(), users.clone().taking_aliases()] {
        let refused = users.set_attributes("eve", verified.clone(), NOW).await;
        assert!(matches!(refused, Err(Error::AliasTaken(Alias::Email))), "{refused:?}");
    }
    // The address as the name.
    let declared = Declared::from([("filey@example.com".to_owned(), "sub-of-filey".to_owned())]);
    let rules = Settings { usernames: Usernames::Email, declared, ..Settings::default() };
    let users = of(&database, "addresses").with_rules(Arc::new(rules));
    let eve = users.add(new("eve@example.com"), NOW).await.expect("added").subject;
    let refused = set_one(&users, &eve, "email", "FILEY@example.com").await;
    assert!(matches!(refused, Err(Error::AliasTaken(Alias::Email))), "{refused:?}");
}

/// A configuration may get users after those of the database had the name or the alias.
#[tokio::test]
async fn a_name_of_the_configuration_leads_to_no_user_of_the_database() {
    let (_directory, database) = database("names-shadowed");
    let before =
        of(&database, "people").with_rules(Arc::new(Settings { aliases: ALL.to_vec(), ..Settings::default() }));
    let bob = before.add(with(&[("preferred_username", "filey")], "bob"), NOW).await.expect("added");
    assert_eq!(before.show("filey").await.expect("found").subject, bob.subject);
    let eve = before.add(new("eve"), NOW).await.expect("added");
    let declared = ["filey", "eve"].map(|name| (name.to_owned(), format!("sub-of-{name}")));
    let rules = Settings { aliases: ALL.to_vec(), declared: Declared::from(declared), ..Settings::default() };
    let users = of(&database, "people").with_rules(Arc::new(rules));
    for name in ["filey", "EVE", "sub-of-eve"] {
        for refused in [
            users.show(name).await.map(drop),
            users.sign_out(name, NOW).await,
            users.delete(name, NOW).await,
            users.set_enabled(name, false, NOW).await,
            set_one(&users, name, "name", "Eve").await,
            users.join(name, "ops", NOW).await,
        ] {
            assert!(matches!(refused, Err(Error::Declared(_))), "{name}: {refused:?}");
        }
    }
    let said = users.show("eve").await.expect_err("refused").to_string();
    assert_eq!(
        said,
        "`eve` is a user of the configuration file, which this command does not change; name a user of the database by the `sub`"
    );
    // By the `sub`, those of the database are there as before.
    assert_eq!(users.show(&eve.subject).await.expect("found"), eve);
    assert_eq!(users.show(&bob.subject).await.expect("found").epoch, bob.epoch, "nobody has signed Bob out");
}

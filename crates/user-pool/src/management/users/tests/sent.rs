//! What is left of codes that were sent, and of trusted browsers, after an administrator has changed a user.

use super::*;

const OLD: &str = "ada@example.com";

impl Management {
    /// A user with a verified address, a code and a trusted browser.
    async fn add_with_code(&self, name: &str) -> String {
        let user = self.add(with(&[("email", OLD), ("email_verified", "true")], name), NOW).await.expect("added");
        let subject = user.subject.clone();
        let work = self.stored.database.write(move |on| {
            let sql = "INSERT INTO codes (pool, sub, purpose, target, id, mac, wrong_tries, expires_at) \
                       VALUES ('people', ?1, 'reset', 'password', ?1, x'00', 0, 1)";
            on.execute(sql, &[(&*subject).into()])?;
            let sql = "INSERT INTO browsers (pool, hash, sub, fingerprint, id, created_at, used_at, expires_at) \
                       VALUES ('people', randomblob(32), ?1, '', ?1, 0, 0, 1)";
            on.execute(sql, &[(&*subject).into()])
        });
        work.await.expect("written");
        user.subject
    }

    /// How many codes and trusted browsers the user has.
    async fn left(&self, subject: &str) -> [i64; 2] {
        let subject = subject.to_owned();
        let sql = "SELECT (SELECT count(*) FROM codes WHERE sub = ?1), (SELECT count(*) FROM browsers WHERE sub = ?1)";
        let row = self.stored.database.read(move |on| on.query_one(sql, &[(&*subject).into()])).await.expect("read");
        let mut row = row.expect("a row");
        [row.integer(0).expect("a number"), row.integer(1).expect("a number")]
    }
}

#[tokio::test]
async fn u_03_with_another_address_codes_and_trusted_browsers_end() {
    let (_directory, database) = database("sent-attributes");
    let users = of(&database, "people");
    let bob = users.add_with_code("bob").await;
    type Attributes<'a> = &'a [(&'a str, &'a str)];
    let changes: [(Attributes<'_>, [i64; 2]); 9] = [
        (&[("name", "Ada Lovelace")], [1, 1]),
        (&[("email", OLD), ("email_verified", "true")], [1, 1]),
        (&[("email", "new@example.com")], [0, 0]),
        (&[("email", "new@example.com"), ("email_verified", "true")], [0, 0]),
        (&[("email", "")], [0, 0]),
        (&[("email_verified", "false")], [0, 0]),
        // There was no number, so no code of a second factor went to it.
        (&[("phone_number", "+4930123456")], [0, 1]),
        (&[("phone_number", "+4930123456"), ("phone_number_verified", "true")], [0, 1]),
        (&[("nickname", "countess"), ("phone_number", "")], [1, 1]),
    ];
    let (mut seen, mut expected) = (Vec::new(), Vec::new());
    for (number, (change, left)) in changes.into_iter().enumerate() {
        let ada = users.add_with_code(&format!("ada{number}")).await;
        let given = change.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        users.set_attributes(&ada, given, NOW).await.expect("set");
        seen.push((change, users.left(&ada).await));
        expected.push((change, left));
    }
    assert_eq!(seen, expected);
    assert_eq!(users.left(&bob).await, [1, 1], "those of others stay");
}

#[tokio::test]
async fn u_03_what_an_administrator_ends_has_no_codes_any_more() {
    let (_directory, database) = database("sent-ended");
    let users = of(&database, "people");
    let bob = users.add_with_code("bob").await;
    users.put_group(group("ops", None), NOW).await.expect("added");
    let changes = ["join", "disable", "enable", "sign out", "reset", "confirm", "password"];
    let mut seen = Vec::new();
    for change in changes {
        let ada = users.add_with_code(&format!("ada-{}", change.replace(' ', "-"))).await;
        match change {
            "join" => users.join(&ada, "ops", NOW).await.expect("joined"),
            "disable" => users.set_enabled(&ada, false, NOW).await.expect("disabled"),
            "enable" => users.set_enabled(&ada, true, NOW).await.expect("enabled"),
            "sign out" => users.sign_out(&ada, NOW).await.expect("signed out"),
            "reset" => users.reset(&ada, NOW).await.expect("reset"),
            "confirm" => {
                let (records, subject) = (users.stored.records.clone(), ada.clone());
                let unconfirmed = database.write(move |on| records.set_status(on, &subject, Status::Unconfirmed, NOW));
                unconfirmed.await.expect("set");
                users.confirm(&ada, NOW).await.expect("confirmed");
            }
            _ => set(&users, &ada, "battery staple", NOW).await,
        }
        seen.push((change, users.left(&ada).await[0]));
    }
    assert_eq!(seen, changes.map(|change| (change, i64::from(change == "join"))));
    assert_eq!(users.left(&bob).await, [1, 1], "those of others stay");
}

/// The address is somebody else's, who reads its messages.
#[tokio::test]
async fn u_03_who_loses_an_alias_loses_the_codes_that_went_there() {
    let (_directory, database) = database("sent-alias");
    let rules = Settings { aliases: vec![Alias::Email], ..Settings::default() };
    let users = of(&database, "people").with_rules(Arc::new(rules));
    let former = users.add_with_code("former").await;
    users.add(new("next"), NOW).await.expect("added");
    let address = vec![("email".into(), OLD.into()), ("email_verified".into(), "true".into())];
    let refused = users.set_attributes("next", address.clone(), NOW).await;
    assert!(matches!(refused, Err(Error::AliasTaken(Alias::Email))), "{refused:?}");
    assert_eq!(users.left(&former).await, [1, 1], "nothing was done");
    users.clone().taking_aliases().set_attributes("next", address, NOW).await.expect("taken");
    assert!(!users.show("former").await.expect("found").attributes.is_verified("email"));
    assert_eq!(users.left(&former).await, [0, 0]);
}

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::MIGRATIONS;
use crate::clock::Timestamp;
use crate::database::{Database, Others};
use crate::directory::alias::SIGNING_IN;
use crate::directory::name::UserName;
use crate::directory::record::COLUMNS;
use crate::directory::status::Status;
use crate::testing::{Directory as Temporary, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct People {
    database: Arc<Database>,
    records: Records,
    _directory: Temporary,
}

impl People {
    async fn new(name: &str, users: Vec<Record>) -> Self {
        let directory = temporary_directory(name);
        let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
        let records = Records { pool: "people".into() };
        let (database, writer) = (Arc::new(database), records.clone());
        let added = database.write(move |on| {
            for user in &users {
                assert!(writer.add(on, user, &UserName::parse(&user.username).expect("a name"))?);
            }
            Ok(())
        });
        added.await.expect("added");
        Self { database, records, _directory: directory }
    }

    /// The names of everybody whom the filter finds, in pages of two.
    async fn found(&self, filter: &str) -> Vec<String> {
        let (filter, mut after, mut found) = (Filter::parse(filter).expect("a filter"), None, Vec::new());
        loop {
            let (records, filter) = (self.records.clone(), filter.clone());
            let page =
                self.database.read(move |on| records.search(on, &filter, after.as_ref(), 2)).await.expect("found");
            assert!(page.users.len() <= 2);
            assert!(found.is_empty() || !page.users.is_empty(), "a page says that there are more only if there are");
            found.extend(page.users.into_iter().map(|user| user.username));
            // The cursor of a program is a text.
            after = page.next.map(|next| Cursor::parse(&next.to_text()).expect("ours"));
            if after.is_none() {
                return found;
            }
        }
    }

    /// How SQLite runs the statement.
    async fn plan(&self, sql: String, count: usize) -> String {
        let explained = self.database.read(move |on| {
            let values = vec![Value::from("1"); count];
            let rows = on.query(&format!("EXPLAIN QUERY PLAN {sql}"), &values)?;
            rows.into_iter().map(|mut row| row.text(3)).collect::<Result<Vec<_>, _>>()
        });
        explained.await.expect("explained").join("\n")
    }
}

fn user(name: &str, attributes: &[(&str, &str)]) -> Record {
    let mut all = Attributes::default();
    all.set_all(attributes.iter().copied()).expect("valid");
    Record {
        subject: format!("sub-of-{name}"),
        username: name.into(),
        status: Status::Confirmed,
        is_enabled: true,
        attributes: all,
        password_hash: None,
        password_set_at: None,
        temporary_until: None,
        epoch: 0,
        created_at: NOW,
        modified_at: NOW,
        groups: vec![],
        identities: vec![],
    }
}

#[tokio::test]
async fn each_filter_finds_its_users_in_pages_without_a_gap() {
    let mut users: Vec<_> = ["Ada", "adam", "bob", "carol", "dave"]
        .into_iter()
        .map(|name| user(name, &[("email", &format!("{name}@Example.com")), ("family_name", "Ångström")]))
        .collect();
    users[2].is_enabled = false;
    users[3].status = Status::ResetRequired;
    users.push(user("eve", &[]));
    let people = People::new("search-filters", users).await;
    let all = ["Ada", "adam", "bob", "carol", "dave", "eve"];
    for (filter, expected) in [
        ("", &all[..]),
        (r#"username ^= "AD""#, &all[..2]),
        (r#"username = "ada""#, &all[..1]),
        (r#"username ^= """#, &all),
        (r#"sub = "sub-of-bob""#, &all[2..3]),
        (r#"sub ^= "sub-of-""#, &all),
        (r#"email ^= "ada""#, &all[..2]),
        (r#"email = "ADA@example.com""#, &all[..1]),
        (r#"email = "ada@example""#, &[]),
        (r#"family_name = "ångström""#, &all[..5]),
        (r#"family_name ^= "å""#, &all[..5]),
        (r#"phone_number ^= "+""#, &[]),
        (r#"cognito:user_status = "RESET_REQUIRED""#, &all[3..4]),
        (r#"status = "Disabled""#, &all[2..3]),
        (r#"status = "Unknown""#, &[]),
    ] {
        assert_eq!(people.found(filter).await, expected, "{filter}");
    }
    assert_eq!(Cursor::parse("!"), None);
}

#[tokio::test]
async fn a_start_finds_every_letter_after_it() {
    let users = ["ad", "adz", "adé", "ad鷗", "ad😀", "ae"].map(|name| user(name, &[("name", name)]));
    let people = People::new("search-letters", users.to_vec()).await;
    for filter in [r#"username ^= "ad""#, r#"name ^= "ad""#, r#"sub ^= "sub-of-ad""#] {
        assert_eq!(people.found(filter).await, ["ad", "adz", "adé", "ad鷗", "ad😀"], "{filter}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_what_the_attributes_are_now() {
    let people = People::new("search-changes", vec![user("ada", &[("email", "ada@example.com")])]).await;
    let (records, changed) = (people.records.clone(), user("ada", &[("email", "lovelace@example.com")]));
    let set = people.database.write(move |on| records.set_attributes(on, &changed.subject, &changed.attributes, NOW));
    set.await.expect("set");
    assert!(people.found(r#"email ^= "ada""#).await.is_empty());
    assert_eq!(people.found(r#"email ^= "love""#).await, ["ada"]);
    let records = people.records.clone();
    people.database.write(move |on| records.delete(on, "sub-of-ada", NOW)).await.expect("deleted");
    let left = people.database.read(|on| on.query("SELECT 1 FROM user_search UNION ALL SELECT 1 FROM aliases", &[]));
    assert!(left.await.expect("read").is_empty());
}

#[tokio::test]
async fn no_statement_reads_a_table_from_end_to_end() {
    let people = People::new("search-plans", vec![]).await;
    let filters = [
        "",
        r#"username = "a""#,
        r#"username ^= "a""#,
        r#"sub = "a""#,
        r#"sub ^= "a""#,
        r#"email = "a""#,
        r#"email ^= "a""#,
        r#"cognito:user_status = "CONFIRMED""#,
        r#"status = "Disabled""#,
        r#"status = "Enabled""#,
    ];
    let mut statements = BTreeSet::from([(SIGNING_IN, 6)]);
    let later = Cursor { key: "ab".into(), subject: "sub-of-ab".into() };
    for filter in filters {
        for after in [&Cursor::default(), &later] {
            let (sql, texts, _) = statement(&Filter::parse(filter).expect("a filter"), after).expect("one");
            statements.insert((sql, texts.len() + 2));
        }
    }
    for (sql, count) in statements {
        let plan = people.plan(format!("{COLUMNS} {sql}"), count).await;
        let reads_all = |line: &&str| line.starts_with("SCAN") && !line.contains("found") && !line.contains("search");
        let all: Vec<_> = plan.lines().filter(reads_all).collect();
        assert!(all.is_empty(), "{sql}\n{plan}");
        // Five candidates are sorted, and the users of one page.
        let is_small = sql == SIGNING_IN || sql.starts_with("JOIN");
        // All pages cost the same: a second place to begin at would be found by reading everybody before it. One user is on one page.
        let is_one = sql == SIGNING_IN || sql.contains("username_key = ?3") || sql.contains(" sub = ?3");
        assert!(is_one || plan.matches('>').count() == sql.matches('>').count(), "{sql}\n{plan}");
        assert!(is_small || !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

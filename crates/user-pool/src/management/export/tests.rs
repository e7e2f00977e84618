use std::sync::Arc;

use super::*;
use crate::database::{Database, Others};
use crate::directory::StoredUsers;
use crate::import::json_lines;
use crate::management::NewUser;
use crate::management::import::Imported;
use crate::passwords::FirstPassword;
use crate::testing::temporary_directory;
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn management(folder: &std::path::Path, name: &str) -> Management {
    let database = Database::open(&folder.join(name), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    Management::new(StoredUsers { database: Arc::new(database), records: Records { pool: "people".into() } })
}

async fn add(users: &Management) -> Record {
    users.put_group(Group { name: "ops".into(), description: None, precedence: Some(1) }, NOW).await.expect("added");
    let attributes = vec![("email".into(), "ada@example.com".into()), ("email_verified".into(), "true".into())];
    let password = Some(FirstPassword::cheap("first compiler"));
    let user = NewUser { username: "Ada".into(), password, attributes, groups: vec!["ops".into()] };
    users.add(user, NOW).await.expect("added")
}

#[tokio::test]
async fn everything_of_a_user_is_told_but_secrets() {
    let folder = temporary_directory("export-one");
    let users = management(&folder, "pool.db");
    let ada = add(&users).await;
    let subject = ada.subject.clone();
    let filled = users.stored().database.write(move |on| {
        for sql in [
            "INSERT INTO sso VALUES ('people', 's1', x'05', '#', 'secret-print', 9, 'pwd', '[\"wiki\"]', '192.0.2.1', 'Browser/1', 9, 9, 99)",
            "INSERT INTO families VALUES ('people', 'f1', x'07', x'08', NULL, NULL, NULL, '#', 'wiki', 's1', 'secret-print', 'openid', 0, NULL, \
             9, 'pwd', NULL, '192.0.2.1', 'Browser/1', 9, 9, 99, 99, NULL)",
            "INSERT INTO factors VALUES ('people', '#', 'totp', x'03', 0, 9)",
            "INSERT INTO recovery_codes VALUES ('people', '#', x'04', 0)",
            "INSERT INTO browsers VALUES ('people', x'09', '#', 'secret-print', 'b1', 9, 9, 99, 'Browser/2')",
            "INSERT INTO passkeys VALUES ('people', x'0a', '#', 'p1', '{\"key\":\"secret\"}', 9, NULL, 'Phone')",
            "INSERT INTO codes VALUES ('people', '#', 'email', 'email', 'secret-id', x'01', 0, 'new@example.com', 9, NULL, 0)",
            "INSERT INTO outbox VALUES ('people', 'm1', '#', 'reset', 'email', NULL, x'02', 1, 9, 10, 9, NULL, NULL)",
            // It only seems to be sent.
            "INSERT INTO outbox VALUES ('people', 'm2', '#', 'sign-in', 'email', NULL, x'02', 1, 9, 9, 9, NULL, NULL)",
        ] {
            on.execute(&sql.replace('#', &subject), &[])?;
        }
        Ok(())
    });
    filled.await.expect("filled");
    let all = users.export("ada", NOW).await.expect("exported");
    assert_eq!(all.user.subject, ada.subject);
    let rows = Json::from(all.rows.clone());
    assert_eq!(rows["second_factors"], json!([{"kind": "totp", "created_at": Timestamp::from_millis(9).to_text()}]));
    assert_eq!(rows["recovery_codes"], json!([{"left": 1}]));
    let at = Timestamp::from_millis(9).to_text();
    assert_eq!(rows["passkeys"], json!([{"id": "p1", "name": "Phone", "created_at": at, "used_at": null}]));
    assert_eq!(
        (&rows["trusted_browsers"][0]["id"], &rows["trusted_browsers"][0]["agent"]),
        (&json!("b1"), &json!("Browser/2"))
    );
    assert_eq!(rows["sessions"][0]["agent"], "Browser/1");
    assert_eq!(rows["tokens"][0]["client_id"], "wiki");
    assert_eq!(rows["tokens"][0]["revoked_at"], Json::Null);
    assert_eq!(rows["codes"][0]["pending"], "new@example.com");
    assert_eq!((&rows["messages"][0]["kind"], rows["messages"].as_array().map(Vec::len)), (&json!("reset"), Some(1)));
    let operations: Vec<&str> = all.audit.iter().map(|entry| &*entry.operation).collect();
    assert_eq!(operations, ["user.export", "user.add"], "who has asked is in it, too");
    let text = rows.to_string();
    assert!(!text.contains("secret") && !text.contains("argon2"), "{text}");
    assert!(matches!(users.export("eve", NOW).await, Err(Error::NoUser(_))));
}

#[tokio::test]
async fn a_line_of_an_export_is_the_same_user_in_another_pool() {
    let folder = temporary_directory("export-all");
    let (from, to) = (management(&folder, "from.db"), management(&folder, "to.db"));
    let mut ada = add(&from).await;
    from.set_enabled("ada", false, NOW).await.expect("disabled");
    ada.is_enabled = false;
    let later = Timestamp::from_seconds(1_800_000_060);
    let group = from.groups().await.expect("read").remove(0);
    for line in [group_line(&group), user_line(&from.show("ada").await.expect("found"))] {
        let item = || json_lines::item(&line.to_string()).expect("a line");
        assert_eq!(to.import(item(), false, later).await.expect("imported"), Imported::Added);
    }
    let there = to.show("ada").await.expect("found");
    assert_eq!((&there.subject, &there.attributes, &there.groups), (&ada.subject, &ada.attributes, &ada.groups));
    assert_eq!((there.status, there.is_enabled, there.created_at), (ada.status, false, NOW));
    assert_eq!(there.password_hash, ada.password_hash);
}

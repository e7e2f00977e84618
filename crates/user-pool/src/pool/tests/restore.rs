//! A backup that is made while people sign in, and restored in a new place.

use super::stored::Stored;
use super::*;
use crate::database::{Database, Others};
use crate::endings::reader::EndingReader;
use crate::testing::temporary_directory;
use crate::{MIGRATIONS, Records, restored};

#[tokio::test]
async fn a_backup_made_under_traffic_is_restored_and_revives_nothing() {
    let stored = Stored::new().await;
    let tokens = stored.tokens().await;
    let mut session = stored.fixture.browser();
    session.sign_in("grace", "first compiler").await.code();
    let folder = temporary_directory("restore");
    let copy = folder.join("restored.db");
    let traffic = async {
        for _ in 0..5 {
            stored.fixture.browser().sign_in("grace", "first compiler").await.code();
        }
    };
    let (made, ()) = tokio::join!(stored.users.back_up(&copy, START), traffic);
    made.expect("copied");
    // After the backup, the token is used and the session ends.
    let used = tokens["refresh_token"].as_str().expect("a token");
    stored.fixture.refresh(used).await.json();
    let cookies = session.cookies.clone();
    let page = session.get(routes::SIGN_IN).await;
    session.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    // The copy in a new place, and a new process.
    stored.fixture.advance(60);
    let now = stored.fixture.clock.now();
    let database = Arc::new(Database::open(&copy, MIGRATIONS, Others::Nobody, now).expect("a database"));
    restored::settle(&database, now).expect("settled");
    let users = StoredUsers { database: Arc::clone(&database), records: Records { pool: "demo".into() } };
    let (clock, hand) = Clock::manual(now);
    let memory = PoolMemory::default();
    let reader = EndingReader::start(database, &"demo".into(), Arc::clone(&memory.endings), clock.clone());
    reader.expect("started");
    let again = Fixture::of_store(stored.fixture.settings.clone(), (memory, clock), hand, Some(users));
    again.refresh(used).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let access = tokens["access_token"].as_str().expect("a token");
    assert_eq!(again.userinfo(access).await.status(), StatusCode::UNAUTHORIZED);
    let mut browser = again.browser();
    browser.cookies = cookies;
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    // And everybody signs in as before.
    let code = again.browser().sign_in("grace", "first compiler").await.code();
    let tokens = again.redeem(&code).await.json();
    assert_eq!(again.userinfo(tokens["access_token"].as_str().expect("a token")).await.status(), StatusCode::OK);
}

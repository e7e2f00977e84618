use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::database::{Others, Transaction, Value};
use crate::oauth::lifetimes::{ClientLifetimes, Lifetimes};
use crate::testing::{Directory, temporary_directory};
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const SESSION: &str = "INSERT INTO sso (pool, id, hash, sub, fingerprint, auth_time, proofs, clients, address, agent, created_at, used_at, expires_at) \
                       VALUES (?1, ?2, ?3, 'alice', 'f', 0, 'pwd', '[]', '', '', 0, 0, ?4)";

struct Fixture {
    grants: StoredGrants,
    directory: Directory,
}

fn seconds(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn open(directory: &Directory) -> StoredGrants {
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    let stored = StoredUsers { database: Arc::new(database), records: Records { pool: "demo".into() } };
    let hour = Duration::from_secs(3600);
    let lifetimes = ClientLifetimes::all(Lifetimes { access: hour, id: hour, refresh: MONTH });
    StoredGrants::new(&stored, lifetimes, Rates::default())
}

impl Fixture {
    /// With a session `s` of Alice.
    async fn new() -> Self {
        let directory = temporary_directory("stored-grants");
        let fixture = Self { grants: open(&directory), directory };
        fixture.session("s").await;
        fixture
    }

    async fn session(&self, id: &'static str) {
        let work = move |on: &mut Transaction<'_>| {
            on.execute(SESSION, &[Value::from("demo"), id.into(), id.as_bytes().into(), (NOW + MONTH).into()]).map(drop)
        };
        self.grants.database.write(work).await.expect("written");
    }

    /// The same database in a new process.
    fn restarted(self) -> Self {
        drop(self.grants);
        Self { grants: open(&self.directory), directory: self.directory }
    }

    async fn issue(&self, scope: &str, now: Timestamp) -> Secret<String> {
        let grant = Grant {
            client_id: "app".into(),
            subject: "alice".into(),
            scope: scope.into(),
            resource: None,
            auth_time: NOW.seconds(),
            proofs: "pwd totp".parse().expect("names of proofs"),
            session_id: "s".into(),
            fingerprint: "f".into(),
            claims: None,
        };
        let code_challenge = Some(URL_SAFE_NO_PAD.encode(octets::sha256(b"verifier")));
        let pending = Pending { grant, redirect_uri: "https://app/cb".into(), code_challenge, nonce: Some("n".into()) };
        self.grants.issue(pending, now).await.expect("the database answers").expect("the session is there")
    }

    async fn redeem_as(&self, code: &Secret<String>, client_id: &str, now: Timestamp) -> Result<Redeemed, Refused> {
        let presented = Presented {
            code: code.expose(),
            client_id,
            redirect_uri: "https://app/cb",
            code_verifier: Some("verifier"),
        };
        refused(self.grants.redeem(&presented, seen(), now).await)
    }

    async fn redeem(&self, code: &Secret<String>, now: Timestamp) -> Result<Redeemed, Refused> {
        self.redeem_as(code, "app", now).await
    }

    async fn refresh(&self, token: &Secret<String>, now: Timestamp) -> Result<Redeemed, Refused> {
        let opened = refused(self.grants.open(token.expose(), "app", None, now).await)?;
        refused(self.grants.refresh(opened, seen(), now).await)
    }

    /// A family that has just begun.
    async fn begun(&self) -> Redeemed {
        self.redeem(&self.issue("openid", NOW).await, NOW).await.expect("redeemed")
    }

    async fn is_alive(&self, redeemed: &Redeemed, now: Timestamp) -> bool {
        self.grants.family(&redeemed.family, now).await.expect("read").is_some()
    }

    async fn families(&self) -> i64 {
        let count = self.grants.database.read(|on| on.query_one("SELECT count(*) FROM families", &[])).await;
        count.expect("counted").expect("a row").integer(0).expect("a number")
    }

    async fn end_session(&self) {
        let issued = self.grants.rows.issued.clone();
        let ended = self.grants.database.write(move |on| issued.end_session(on, "s", seconds(1))).await;
        assert!(ended.expect("ended"));
    }
}

fn seen() -> Seen {
    Seen { address: "192.0.2.1".into(), agent: "test".into() }
}

fn refused<T>(result: Result<T, Fault>) -> Result<T, Refused> {
    result.map_err(|fault| match fault {
        Fault::Refused(refused) => refused,
        Fault::Database(error) => panic!("the database fails: {error}"),
    })
}

#[tokio::test]
async fn a_code_gives_tokens_once_and_its_second_use_takes_them_away() {
    let fixture = Fixture::new().await;
    let code = fixture.issue("openid", NOW).await;
    let first = fixture.redeem(&code, seconds(1)).await.expect("redeemed");
    assert_eq!((first.grant.subject.as_str(), first.nonce.as_deref()), ("alice", Some("n")));
    assert!(fixture.is_alive(&first, seconds(1)).await);
    let fixture = fixture.restarted();
    assert_eq!(fixture.redeem(&code, seconds(2)).await.unwrap_err(), Refused::Reused);
    assert!(!fixture.is_alive(&first, seconds(2)).await);
    assert_eq!(fixture.refresh(&first.refresh_token, seconds(2)).await.unwrap_err(), Refused::Invalid);
}

#[tokio::test]
async fn fifty_uses_of_one_code_at_once_give_one_family() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        let code = fixture.issue("openid", NOW).await;
        let before = fixture.families().await;
        let uses = (0..50).map(|_| fixture.redeem(&code, NOW));
        let results = futures_util::future::join_all(uses).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(fixture.families().await, before + 1);
    }
}

#[tokio::test]
async fn fifty_uses_of_one_refresh_token_at_once_give_one_next_token() {
    let fixture = Fixture::new().await;
    let mut token = fixture.begun().await.refresh_token;
    // The last are refused because there are too many requests of one user.
    for round in 0..10 {
        let now = seconds(round * 60);
        let results = futures_util::future::join_all((0..50).map(|_| fixture.refresh(&token, now))).await;
        let mut next: Vec<String> =
            results.into_iter().map(|next| next.expect("answered").refresh_token.expose().clone()).collect();
        next.dedup();
        assert_eq!(next.len(), 1, "one successor, however often the token came");
        assert_ne!(&next[0], token.expose());
        token = Secret::new(next.remove(0));
    }
    assert_eq!(fixture.families().await, 1);
}

#[tokio::test]
async fn a_token_of_before_works_for_ten_seconds_and_then_ends_the_family() {
    let fixture = Fixture::new().await;
    let begun = fixture.begun().await;
    let next = fixture.refresh(&begun.refresh_token, seconds(60)).await.expect("refreshed");
    assert_eq!(next.family, begun.family);
    let fixture = fixture.restarted();
    let again = fixture.refresh(&begun.refresh_token, seconds(69)).await.expect("within the grace");
    assert_eq!(again.refresh_token.expose(), next.refresh_token.expose());
    assert_eq!(fixture.refresh(&begun.refresh_token, seconds(70)).await.unwrap_err(), Refused::Reused);
    assert_eq!(fixture.refresh(&next.refresh_token, seconds(71)).await.unwrap_err(), Refused::Invalid);
    assert!(!fixture.is_alive(&begun, seconds(71)).await);
}

#[tokio::test]
async fn a_much_older_token_ends_the_family_at_once() {
    let fixture = Fixture::new().await;
    let first = fixture.begun().await.refresh_token;
    let second = fixture.refresh(&first, seconds(1)).await.expect("refreshed").refresh_token;
    let third = fixture.refresh(&second, seconds(2)).await.expect("refreshed").refresh_token;
    assert_eq!(fixture.refresh(&first, seconds(3)).await.unwrap_err(), Refused::Reused);
    assert_eq!(fixture.refresh(&third, seconds(3)).await.unwrap_err(), Refused::Invalid);
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_and_expires() {
    let fixture = Fixture::new().await;
    let code = fixture.issue("openid", NOW).await;
    assert_eq!(fixture.redeem_as(&code, "other", NOW).await.unwrap_err(), Refused::Invalid);
    assert_eq!(fixture.redeem(&code, NOW).await.unwrap_err(), Refused::Reused, "it is used up");
    let code = fixture.issue("openid", NOW).await;
    assert_eq!(fixture.redeem(&code, seconds(60)).await.unwrap_err(), Refused::Invalid);
    assert_eq!(fixture.redeem(&Secret::new("x".into()), NOW).await.unwrap_err(), Refused::Invalid);
}

#[tokio::test]
async fn a_refresh_token_is_of_its_client_scope_and_lifetime() {
    let fixture = Fixture::new().await;
    let begun = fixture.begun().await;
    let token = begun.refresh_token.expose();
    let other = fixture.grants.open(token, "other", None, NOW).await;
    assert_eq!(refused(other.map(drop)), Err(Refused::Invalid));
    let more = fixture.grants.open(token, "app", Some("openid email"), NOW).await;
    assert_eq!(refused(more.map(drop)), Err(Refused::Scope));
    assert_eq!(fixture.refresh(&begun.refresh_token, NOW + MONTH).await.unwrap_err(), Refused::Invalid);
    let sealed_before = fixture.grants.open(&"A".repeat(400), "app", None, NOW).await;
    assert_eq!(refused(sealed_before.map(drop)), Err(Refused::Invalid), "a token of the time without a database");
    assert!(fixture.refresh(&begun.refresh_token, seconds(1)).await.is_ok());
}

#[tokio::test]
async fn with_a_session_end_its_codes_and_families_but_not_those_of_offline_access() {
    let fixture = Fixture::new().await;
    let online = fixture.begun().await;
    let offline = fixture.redeem(&fixture.issue("openid offline_access", NOW).await, NOW).await.expect("redeemed");
    let unused = fixture.issue("openid", NOW).await;
    fixture.end_session().await;
    assert_eq!(fixture.refresh(&online.refresh_token, seconds(2)).await.unwrap_err(), Refused::Invalid);
    assert_eq!(fixture.redeem(&unused, seconds(2)).await.unwrap_err(), Refused::Invalid);
    assert!(fixture.refresh(&offline.refresh_token, seconds(2)).await.is_ok());
    let pending =
        Pending { grant: online.grant, redirect_uri: "https://app/cb".into(), code_challenge: None, nonce: None };
    assert!(fixture.grants.issue(pending, seconds(2)).await.expect("answers").is_none(), "no code of an ended session");
}

#[tokio::test]
async fn rows_that_nobody_needs_go_and_a_user_has_a_bounded_number_of_families() {
    let fixture = Fixture::new().await;
    for _ in 0..120 {
        let code = fixture.issue("openid", NOW).await;
        fixture.redeem(&code, NOW).await.expect("redeemed");
    }
    assert_eq!(fixture.families().await, 100);
    let code = fixture.issue("openid", NOW + MONTH + MONTH).await;
    fixture.redeem(&code, NOW + MONTH + MONTH).await.expect("redeemed");
    assert_eq!(fixture.families().await, 91);
    let codes = fixture.grants.database.read(|on| on.query_one("SELECT count(*) FROM grants", &[])).await;
    assert_eq!(codes.expect("read").expect("a row").integer(0).expect("a number"), 111);
}

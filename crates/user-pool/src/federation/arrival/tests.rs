use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::MIGRATIONS;
use crate::crypto::{octets, uuid};
use crate::database::{Database, Others};
use crate::directory::settings::Alias;
use crate::federation::mapping::Mapping;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The users of a pool, who come from the provider `corp`.
struct Pool {
    database: Arc<Database>,
    records: Records,
    settings: ProviderSettings,
    rules: Settings,
    _directory: Directory,
}

impl Pool {
    fn new() -> Self {
        let directory = temporary_directory("pool-arrival");
        let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
        let pair = |name: &str, claim: &str| (name.to_owned(), claim.to_owned());
        let settings = ProviderSettings {
            name: "corp".into(),
            title: "Corp".into(),
            logo: None,
            email_domains: vec![],
            scope: "openid".into(),
            mapping: Mapping::new([pair("email", "email"), pair("email_verified", "email_verified")]),
            asks_for_second_factor: false,
            is_believed_to_ask: false,
            group: None,
            callback_path: "/oauth2/idpresponse/corp".into(),
        };
        Self {
            database: Arc::new(database),
            records: Records { pool: "demo".into() },
            settings,
            rules: Settings::default(),
            _directory: directory,
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>, &Records) -> Result<T, Error> + Send + 'static,
    ) -> T {
        let records = self.records.clone();
        self.database.write(move |on| work(on, &records)).await.expect("written")
    }

    async fn arrive_with(&self, state: [u8; 32], issuer: &str, subject: &str, claims: &Value) -> Arrived {
        let claims = claims.as_object().expect("an object").clone();
        let arrival = Arrival {
            rules: Arc::new(self.rules.clone()),
            settings: self.settings.clone(),
            identity: Identity::supposed(issuer.to_owned(), subject.to_owned(), claims),
            new_subject: uuid::random(),
            state: (state, NOW + Duration::from_secs(300)),
            now: NOW,
        };
        self.write(move |on, records| arrive(on, records, &arrival)).await
    }

    async fn arrive(&self, subject: &str, claims: Value) -> Record {
        let state = octets::sha256(octets::token().as_bytes());
        match self.arrive_with(state, "https://corp.example", subject, &claims).await {
            Arrived::User(user) => *user,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_first_sign_in_makes_a_user_and_later_ones_find_the_same() {
    let pool = Pool::new();
    let first = pool.arrive("A|1", json!({"email": "ada@corp.example", "email_verified": true})).await;
    assert_eq!((first.username.as_str(), first.status), ("corp_A|1", Status::ExternalProvider));
    assert_eq!(first.attributes.to_json(), r#"{"email":"ada@corp.example","email_verified":"true"}"#);
    assert!(first.password_hash.is_none() && first.groups.is_empty());
    let later = pool.arrive("A|1", json!({"email": "lovelace@corp.example"})).await;
    assert_eq!(later.subject, first.subject);
    assert_eq!(later.attributes.to_json(), r#"{"email":"lovelace@corp.example"}"#, "the attributes of now");
}

#[tokio::test]
async fn subjects_that_differ_in_anything_are_users_of_their_own() {
    let mut pool = Pool::new();
    let one = pool.arrive("Ada", json!({})).await;
    let other_case = pool.arrive("ada", json!({})).await;
    assert_ne!(one.subject, other_case.subject);
    assert_eq!(other_case.username, format!("corp_{}", other_case.subject), "names are the same in any case");
    let long = pool.arrive(&"x".repeat(255), json!({})).await;
    assert_eq!(long.username, format!("corp_{}", long.subject));
    let again = pool.arrive("ada", json!({})).await;
    assert_eq!(again, other_case);
    // The same name in the configuration, and another provider.
    let moved = pool.arrive_with([1; 32], "https://elsewhere.example", "Ada", &json!({})).await;
    let Arrived::User(moved) = moved else { panic!("{moved:?}") };
    assert_ne!(moved.subject, one.subject);
    pool.settings.name = "partner".into();
    assert_ne!(pool.arrive("Ada", json!({})).await.subject, one.subject);
}

#[tokio::test]
async fn nobody_becomes_a_user_of_the_pool_by_an_e_mail_address_or_a_name() {
    let pool = Pool::new();
    let mut attributes = Attributes::default();
    attributes.set_all([("email", "ada@corp.example"), ("email_verified", "true")]).expect("valid");
    let local = Record {
        subject: uuid::random(),
        username: "CORP_ada".into(),
        status: Status::Confirmed,
        is_enabled: true,
        attributes,
        password_hash: None,
        password_set_at: None,
        temporary_until: None,
        epoch: 0,
        created_at: NOW,
        modified_at: NOW,
        groups: vec![],
        identities: vec![],
    };
    let (name, record) = (UserName::parse(&local.username).expect("a name"), local.clone());
    assert!(pool.write(move |on, records| records.add(on, &record, &name)).await);
    let arrived = pool.arrive("ada", json!({"email": "ada@corp.example", "email_verified": true})).await;
    assert_ne!(arrived.subject, local.subject);
    assert_ne!(arrived.username.to_lowercase(), "corp_ada");
    let subject = local.subject.clone();
    let still = pool.write(move |on, records| records.of_subject(on, &subject)).await;
    assert_eq!(still, Some(local), "nothing of the other user has changed");
}

#[tokio::test]
async fn no_address_of_a_provider_is_a_name_to_sign_in_with() {
    let mut pool = Pool::new();
    pool.rules.aliases = vec![Alias::Email];
    let claims = json!({"email": "ada@corp.example", "email_verified": true});
    let (first, again) = (pool.arrive("1", claims.clone()).await, pool.arrive("1", claims).await);
    assert_eq!(first, again);
    let name = pool.rules.sign_in_name(&UserName::parse("ada@corp.example").expect("a name"));
    let found = pool.write(move |on, records| records.signing_in(on, &name)).await;
    assert_eq!(found, None, "or nobody could sign up with it");
    let named = pool.arrive("ada@corp.example", json!({})).await;
    assert_eq!(named.username, format!("corp_{}", named.subject), "what looks as an address is no name");
    pool.rules.declared = [("corp_7".to_owned(), "the-sub".to_owned())].into();
    assert_ne!(pool.arrive("7", json!({})).await.username, "corp_7", "the configuration has this user");
}

#[tokio::test]
async fn who_lacks_what_the_pool_requires_does_not_arrive() {
    let mut pool = Pool::new();
    let before = pool.arrive("1", json!({"email": "ada@corp.example"})).await;
    pool.rules.required = vec!["email".into()];
    for (state, subject, claims) in [(1, "1", json!({})), (2, "2", json!({"email": "no address"}))] {
        let refused = pool.arrive_with([state; 32], "https://corp.example", subject, &claims).await;
        assert!(matches!(refused, Arrived::Incomplete), "{refused:?}");
    }
    assert_eq!(pool.arrive("1", json!({"email": "ada@corp.example"})).await, before);
}

#[tokio::test]
async fn a_sign_in_ends_once() {
    let pool = Pool::new();
    let claims = json!({});
    let arrive = || pool.arrive_with([7; 32], "https://corp.example", "1", &claims);
    assert!(matches!(arrive().await, Arrived::User(_)));
    assert!(matches!(arrive().await, Arrived::Replayed));
    // The row is kept as long as the answer could come again, and no longer.
    let end = |after: u64| {
        let now = NOW + Duration::from_secs(after);
        pool.write(move |on, records| records.end_provider_sign_in(on, &[8; 32], now + Duration::from_secs(300), now))
    };
    let rows = || pool.write(|on, _| on.query("SELECT 1 FROM provider_sign_ins", &[]));
    assert!(end(299).await);
    assert_eq!(rows().await.len(), 2);
    assert!(!end(300).await);
    assert_eq!(rows().await.len(), 1);
}

#[tokio::test]
async fn a_disabled_user_is_refused_and_not_changed() {
    let pool = Pool::new();
    let user = pool.arrive("1", json!({"email": "ada@corp.example"})).await;
    let subject = user.subject.clone();
    pool.write(move |on, records| records.set_enabled(on, &subject, false, NOW)).await;
    let refused = pool.arrive_with([1; 32], "https://corp.example", "1", &json!({"email": "x@corp.example"})).await;
    assert!(matches!(&refused, Arrived::Disabled(of) if *of == user.subject), "{refused:?}");
    let subject = user.subject.clone();
    let now = pool.write(move |on, records| records.of_subject(on, &subject)).await.expect("the user");
    assert_eq!((now.attributes, now.is_enabled), (user.attributes, false));
}

#[tokio::test]
async fn a_deleted_user_comes_back_as_another() {
    let pool = Pool::new();
    let user = pool.arrive("1", json!({})).await;
    let subject = user.subject.clone();
    pool.write(move |on, records| records.delete(on, &subject, NOW)).await;
    assert_ne!(pool.arrive("1", json!({})).await.subject, user.subject);
}

#[tokio::test]
async fn users_are_in_the_group_of_their_provider() {
    let mut pool = Pool::new();
    let before = pool.arrive("1", json!({})).await;
    assert!(before.groups.is_empty());
    pool.settings.group = Some("from-corp".into());
    assert_eq!(pool.arrive("1", json!({})).await.groups, ["from-corp"]);
    assert_eq!(pool.arrive("2", json!({})).await.groups, ["from-corp"]);
}

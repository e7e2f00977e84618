use super::*;
use crate::clock::ManualClock;
use crate::crypto::aead::Key;
use crate::database::Others;
use crate::oauth::keys::key::{PUBLISHED_AFTER, PUBLISHED_BEFORE, SIGNS_FOR};
use crate::testing::{Directory, temporary_directory};
use crate::{MIGRATIONS, Records};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Fixture {
    stored: StoredUsers,
    clock: Clock,
    hand: ManualClock,
    _directory: Directory,
}

impl Fixture {
    fn new() -> Self {
        let directory = temporary_directory("pool-keys");
        let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("opens");
        let stored = StoredUsers { database: Arc::new(database), records: Records { pool: "demo".into() } };
        let (clock, hand) = Clock::manual(NOW);
        Self { stored, clock, hand, _directory: directory }
    }

    /// The keys as one process has them. ES256 is much faster to make.
    fn process(&self) -> StoredKeys {
        self.with(7, vec![Algorithm::Es256])
    }

    fn with(&self, key: u8, algorithms: Vec<Algorithm>) -> StoredKeys {
        let vault = Vault::new([Key::new(&Secret::new([key; 32]))].into());
        StoredKeys::new(&self.stored, vault, algorithms, self.clock.clone())
    }

    async fn states(&self) -> Vec<(State, bool)> {
        let rows = KeyRows::new("demo".into());
        let keys = self.stored.database.read(move |on| rows.all(on)).await.expect("read");
        keys.iter().map(|key| (key.state, key.sealed.is_some())).collect()
    }
}

fn published(ring: &KeyRing) -> Vec<String> {
    ring.published().map(|key| key.kid().to_owned()).collect()
}

fn signs(ring: &KeyRing) -> String {
    ring.of_access_tokens().kid().to_owned()
}

#[tokio::test]
async fn a_pool_signs_with_rs256_and_with_es256_if_a_client_asks_for_it() {
    let fixture = Fixture::new();
    let rsa = fixture.with(7, vec![Algorithm::Rs256]).tend().await.expect("made");
    assert_eq!(rsa.algorithms().collect::<Vec<_>>(), [Algorithm::Rs256]);
    let both = fixture.with(7, vec![Algorithm::Rs256, Algorithm::Es256]).tend().await.expect("made");
    assert_eq!(both.algorithms().collect::<Vec<_>>(), [Algorithm::Rs256, Algorithm::Es256]);
    assert_eq!(signs(&both), signs(&rsa), "the same key as before");
    assert_eq!(both.of_access_tokens().algorithm(), Algorithm::Rs256);
}

#[tokio::test]
async fn a_key_is_replaced_by_one_that_was_published_a_day_before() {
    let fixture = Fixture::new();
    let process = fixture.process();
    let first = process.tend().await.expect("made");
    fixture.hand.advance(SIGNS_FOR - PUBLISHED_BEFORE);
    let with_next = process.tend().await.expect("made");
    assert_eq!((signs(&with_next), published(&with_next).len()), (signs(&first), 2));
    assert_eq!(fixture.states().await, [(State::Current, true), (State::Next, true)]);
    fixture.hand.advance(PUBLISHED_BEFORE);
    let after = process.tend().await.expect("promoted");
    assert_ne!(signs(&after), signs(&first));
    assert!(published(&with_next).contains(&signs(&after)), "it was published before it signs");
    assert!(published(&after).contains(&signs(&first)), "tokens of before are verified");
    assert_eq!(
        fixture.states().await,
        [(State::Former, false), (State::Current, true)],
        "and its private half is gone"
    );
    fixture.hand.advance(PUBLISHED_AFTER);
    let later = process.tend().await.expect("retired");
    assert_eq!(published(&later), [signs(&after)]);
    assert_eq!(fixture.states().await, [(State::Current, true)]);
}

#[tokio::test]
async fn two_processes_that_begin_and_replace_at_once_have_the_same_keys() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.process(), fixture.process());
    for wait in [Duration::ZERO, SIGNS_FOR - PUBLISHED_BEFORE, PUBLISHED_BEFORE] {
        fixture.hand.advance(wait);
        let (mine, theirs) = tokio::join!(one.tend(), other.tend());
        let (mine, theirs) = (mine.expect("tended"), theirs.expect("tended"));
        assert_eq!((signs(&mine), published(&mine)), (signs(&theirs), published(&theirs)));
    }
}

#[tokio::test]
async fn keys_are_replaced_soon_or_at_once() {
    let fixture = Fixture::new();
    let process = fixture.process();
    let first = process.tend().await.expect("made");
    process.replace_soon().await.expect("written");
    let next = process.tend().await.expect("made");
    assert_eq!((signs(&next), published(&next).len()), (signs(&first), 2));
    fixture.hand.advance(PUBLISHED_BEFORE);
    let after = process.tend().await.expect("promoted");
    assert_ne!(signs(&after), signs(&first));
    process.revoke().await.expect("written");
    let last = process.tend().await.expect("made");
    assert!(!published(&after).contains(&signs(&last)));
    assert_eq!(published(&last), [signs(&last)], "no token of before is verified any more");
}

#[tokio::test]
async fn a_private_key_opens_only_with_the_key_of_the_store() {
    let fixture = Fixture::new();
    fixture.process().tend().await.expect("made");
    let error = fixture.with(8, vec![Algorithm::Es256]).tend().await.expect_err("another key");
    assert!(matches!(error, Error::Database(database::Error::Sealed { table: "keys" })), "{error:?}");
    let raw = fixture.stored.database.read(|on| on.query_one("SELECT sealed FROM keys", &[])).await.expect("read");
    let raw = raw.expect("a row").optional_blob(0).expect("bytes").expect("some");
    assert!(!raw.windows(7).any(|part| part == b"PRIVATE"));
}

#[test]
fn keys_are_loaded_without_a_runtime_and_replaced_only_as_long_as_they_are_used() {
    let fixture = Fixture::new();
    let keys = fixture.process().load().expect("loaded");
    let watched = keys.watch();
    let pem = SigningKey::generate_pem();
    let other = || KeyRing::new(vec![SigningKey::from_pem(&pem).expect("a key")], vec![]);
    assert!(watched.are_used());
    watched.replace(other());
    assert_eq!(signs(&keys.now()), signs(&other()));
    drop(keys);
    assert!(!watched.are_used());
}

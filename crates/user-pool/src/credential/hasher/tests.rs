use super::*;
use crate::credential::password::tests::at_cost;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const fn argon2id(memory_kib: u32) -> Cost {
    Cost::Argon2id { memory_kib, passes: 1, lanes: 1 }
}

/// `x`, by bcrypt.
const BCRYPT: &str = "$2b$04$PpDrtYGJLpX.EFzPU6JEueJN3m5YPylF0HsQoxb6ibo1MkAmiuv9m";

#[tokio::test]
async fn u_01_an_attempt_does_the_work_of_every_cost_whoever_the_user_is() {
    let (low, high) = (at_cost(8), at_cost(64));
    let hasher = Hasher::new(1, costs([&low, &high, &low]), Hashing::default());
    assert_eq!(*hasher.costs, BTreeSet::from([argon2id(8), argon2id(64)]), "each cost once");
    let bcrypt = Cost::Bcrypt { cost: 4 };
    // A stored user's hash may have any cost, also one that was not said before.
    for others in [vec![], vec![bcrypt], vec![bcrypt, argon2id(16)]] {
        for hash in [low.clone(), high.clone(), at_cost(32), secret(BCRYPT)] {
            assert_eq!(hasher.verify(Some(hash.clone()), secret("x"), others.clone()).await, Ok(true));
            assert_eq!(hasher.verify(Some(hash), secret("y"), others.clone()).await, Ok(false));
        }
        assert_eq!(hasher.verify(None, secret("x"), others).await, Ok(false));
    }
    assert_eq!(costs([]), BTreeSet::from([COST]));
    assert_eq!(hasher.verify(Some(secret("hunter2")), secret("hunter2"), vec![]).await, Ok(false));
}

/// What each attempt is made of, counted instead of timed.
#[test]
fn u_01_the_work_is_the_same_for_everybody() {
    let costs = BTreeSet::from([argon2id(8), Cost::Bcrypt { cost: 4 }, Cost::Pbkdf2Sha256 { iterations: 5 }]);
    let work = |hash: Option<&str>| {
        let hash = hash.map(secret);
        password::tests::work_of(|| verify_at_every_cost(&costs, hash.as_ref(), &secret("y")))
    };
    let nobody = work(None);
    assert_eq!(nobody, costs.iter().copied().collect::<Vec<_>>());
    assert_eq!(work(Some(BCRYPT)), nobody);
    assert_eq!(work(Some(at_cost(8).expose())), nobody);
}

#[tokio::test]
async fn one_of_several_hashes_is_found() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let hashes = || vec![at_cost(8), secret(BCRYPT)];
    assert_eq!(hasher.is_one_of(hashes(), secret("x")).await, Ok(true));
    assert_eq!(hasher.is_one_of(hashes(), secret("y")).await, Ok(false));
    assert_eq!(hasher.is_one_of(vec![], secret("x")).await, Ok(false));
}

#[tokio::test]
async fn d_22_only_so_many_wait_for_the_hasher() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let held = hasher.hashing.waiting.try_acquire_many(WAITING_MAX as u32).expect("nobody waits");
    assert_eq!(hasher.verify(None, secret("x"), vec![]).await, Err(Busy));
    assert_eq!(hasher.hash(secret("x")).await.expect_err("busy"), Busy);
    drop(held);
    assert_eq!(hasher.verify(None, secret("x"), vec![]).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn d_22_nobody_waits_longer_than_ten_seconds_for_the_hasher() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let held = hasher.block().await;
    assert_eq!(hasher.verify(None, secret("x"), vec![]).await, Err(Busy));
    drop(held);
    assert_eq!(hasher.hashing.waiting.available_permits(), WAITING_MAX, "and the place is free again");
}

#[tokio::test(start_paused = true)]
async fn d_22_hashers_of_two_configurations_keep_one_limit_together() {
    let hashing = Hashing::default();
    let hasher = |at_once| Hasher::new(at_once, costs([]), hashing.clone());
    let (two, three) = (hasher(2), hasher(3));
    let take = |hasher: &Hasher| Arc::clone(&hashing.running).try_acquire_many_owned(hasher.share);
    let first = [take(&two).expect("free"), take(&two).expect("free")];
    assert!(take(&two).is_err() && take(&three).is_err(), "two are the whole of the one that allows two");
    assert_eq!(three.verify(None, secret("x"), vec![]).await, Err(Busy));
    drop(first);
    let mixed = [take(&two).expect("free"), take(&three).expect("free")];
    assert!(take(&two).is_err() && take(&three).is_err());
    drop(mixed);
    for at_once in [0, 1, 2, 7, 1000, AT_ONCE_MAX, usize::MAX] {
        let hasher = hasher(at_once);
        let all: Vec<_> = std::iter::from_fn(|| take(&hasher).ok()).collect();
        assert_eq!(all.len(), at_once.clamp(1, AT_ONCE_MAX));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hash_gives_way_to_everything_else() {
    let priority = || rustix::process::getpriority_process(None).expect("a priority");
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let before = priority();
    let of_hash = hasher.work(priority).await;
    assert_eq!(of_hash, Ok(Some((before + NICENESS).min(19))));
    assert_eq!(priority(), before, "the threads that serve requests keep theirs");
}

#[tokio::test]
async fn a_hash_that_panics_frees_its_place() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    for _ in 0..2 {
        assert_eq!(hasher.work(|| -> bool { panic!("this test wants it") }).await, Ok(None));
    }
    assert_eq!(hasher.verify(None, secret("x"), vec![]).await, Ok(false));
}

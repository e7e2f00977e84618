use super::*;

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// `correct horse`, hashed at the lowest cost there is.
pub(crate) fn cheap(password: &str) -> Secret<String> {
    let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
    let params = Params::new(8, 1, 1, None).expect("the lowest cost");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Secret::new(argon2.hash_password(password.as_bytes(), salt.as_salt()).expect("hashes").to_string())
}

#[test]
fn a_hash_fits_its_password_only() {
    let hash = hash(&secret("correct horse"));
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    assert!(verify(&hash, &secret("correct horse")));
    for wrong in ["", "correct hors", "correct horse ", "Correct horse", &"x".repeat(PASSWORD_MAX_BYTES + 1)] {
        assert!(!verify(&hash, &secret(wrong)), "{wrong}");
    }
}

#[test]
fn u_04_a_password_fits_in_either_unicode_form() {
    assert!(verify(&cheap("cafe\u{301}".replace("e\u{301}", "é").as_str()), &secret("cafe\u{301}")));
}

#[test]
fn hashes_that_are_not_ours_to_verify_are_refused() {
    let check = |text: &str| super::check(&secret(text));
    assert_eq!(check(cheap("x").expose()), Ok(()));
    assert_eq!(check(""), Err(Error::NotPhc));
    assert_eq!(check("hunter2"), Err(Error::NotPhc));
    assert_eq!(check("$2b$10$abcdefghijklmnopqrstuv"), Err(Error::NotPhc));
    assert_eq!(check(&cheap("x").expose().replace("argon2id", "argon2i")), Err(Error::NotArgon2id));
    assert_eq!(check("$argon2id$v=19$m=8,t=1,p=1"), Err(Error::NotArgon2id));
    assert_eq!(check(&cheap("x").expose().replace("m=8", "m=4194304")), Err(Error::TooCostly));
    assert_eq!(check(&cheap("x").expose().replace("t=1", "t=1000")), Err(Error::TooCostly));
    assert!(!verify(&secret("hunter2"), &secret("hunter2")));
}

/// `x`, hashed with so much memory.
fn at_cost(memory_kib: u32) -> Secret<String> {
    let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
    let params = Params::new(memory_kib, 1, 1, None).expect("a cost");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Secret::new(argon2.hash_password(b"x", salt.as_salt()).expect("hashes").to_string())
}

#[tokio::test]
async fn u_01_an_attempt_does_the_work_of_every_cost_whoever_the_user_is() {
    let (low, high) = (at_cost(8), at_cost(64));
    let hasher = Hasher::new(1, costs([&low, &high, &low]), Hashing::default());
    let all: Vec<_> = hasher.stand_ins.iter().map(|stand_in| stand_in.cost).collect();
    assert_eq!(all, [(8, 1, 1), (64, 1, 1)], "each cost once");
    for stand_in in &*hasher.stand_ins {
        assert_eq!(cost(&stand_in.hash), Ok(stand_in.cost));
    }
    for hash in [low, high] {
        assert_eq!(hasher.verify(Some(hash.clone()), secret("x")).await, Ok(true));
        assert_eq!(hasher.verify(Some(hash), secret("y")).await, Ok(false));
    }
    assert_eq!(hasher.verify(None, secret("x")).await, Ok(false));
    // A stored user's hash may have any cost.
    assert_eq!(hasher.verify(Some(at_cost(32)), secret("x")).await, Ok(true));
    assert_eq!(hasher.verify(Some(at_cost(32)), secret("y")).await, Ok(false));
    assert_eq!(Hasher::new(1, costs([]), Hashing::default()).stand_ins[0].cost, (MEMORY_KIB, PASSES, LANES));
}

#[tokio::test]
async fn d_22_only_so_many_wait_for_the_hasher() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let held = hasher.hashing.waiting.try_acquire_many(WAITING_MAX as u32).expect("nobody waits");
    assert_eq!(hasher.verify(None, secret("x")).await, Err(Busy));
    drop(held);
    assert_eq!(hasher.verify(None, secret("x")).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn d_22_nobody_waits_longer_than_ten_seconds_for_the_hasher() {
    let hasher = Hasher::new(1, costs([]), Hashing::default());
    let held = hasher.block().await;
    assert_eq!(hasher.verify(None, secret("x")).await, Err(Busy));
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
    assert_eq!(three.verify(None, secret("x")).await, Err(Busy));
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

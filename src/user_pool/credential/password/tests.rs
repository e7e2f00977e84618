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

#[tokio::test]
async fn u_01_an_unknown_user_costs_the_same_work_and_fits_nothing() {
    let hashes = [cheap("x")];
    let hasher = Hasher::new(1, &hashes);
    assert_eq!(cost(&hasher.stand_in), cost(&hashes[0]));
    assert_eq!(hasher.verify(None, secret("x")).await, Ok(false));
    assert_eq!(hasher.verify(Some(cheap("x")), secret("x")).await, Ok(true));
    assert_eq!(cost(&Hasher::new(1, []).stand_in), Ok((MEMORY_KIB, PASSES, LANES)));
}

#[tokio::test]
async fn d_22_only_so_many_wait_for_the_hasher() {
    let hasher = Hasher::new(1, []);
    let all = 1 + WAITERS_PER_HASHER as u32;
    let held = Arc::clone(&hasher.admitted).try_acquire_many_owned(all).expect("nobody waits");
    assert_eq!(hasher.verify(Some(cheap("x")), secret("x")).await, Err(Busy));
    drop(held);
    assert_eq!(hasher.verify(Some(cheap("x")), secret("x")).await, Ok(true));
}

use std::cell::RefCell;

use super::*;

thread_local! {
    /// The costs of the hashes that this thread has verified.
    static WORK: RefCell<Vec<Cost>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn note(cost: Cost) {
    WORK.with_borrow_mut(|work| work.push(cost));
}

/// What is verified meanwhile, in this thread.
pub(crate) fn work_of(work: impl FnOnce() -> bool) -> Vec<Cost> {
    WORK.take();
    assert!(!work());
    WORK.take()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// `correct horse`, hashed at the lowest cost there is.
pub(crate) fn cheap(password: &str) -> Secret<String> {
    hashed(password, 8)
}

/// `x`, hashed with so much memory.
pub(crate) fn at_cost(memory_kib: u32) -> Secret<String> {
    hashed("x", memory_kib)
}

fn hashed(password: &str, memory_kib: u32) -> Secret<String> {
    let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
    let params = Params::new(memory_kib, 1, 1, None).expect("a cost");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Secret::new(argon2.hash_password(password.as_bytes(), salt.as_salt()).expect("hashes").to_string())
}

#[test]
fn a_hash_fits_its_password_only() {
    let hash = hash(&secret("correct horse"));
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    assert_eq!(cost(&hash), Ok(COST));
    assert!(verify(&hash, &secret("correct horse")));
    for wrong in ["", "correct hors", "correct horse ", "Correct horse", &"x".repeat(PASSWORD_MAX_BYTES + 1)] {
        assert!(!verify(&hash, &secret(wrong)), "{wrong}");
    }
}

/// argon2-cffi of PyPI.
#[test]
fn an_argon2id_hash_of_another_system_fits() {
    let hash = "$argon2id$v=19$m=64,t=1,p=2$a92xtqhUPRL8pPwNWiahmw$k3jcOZhUwVlzu6WWQJrQCisP0fnCXJHgg+qkDq0gr/I";
    assert!(verify(&secret(hash), &secret("correct horse battery staple")));
    assert_eq!(cost(&secret(hash)), Ok(Cost::Argon2id { memory_kib: 64, passes: 1, lanes: 2 }));
}

#[test]
fn u_04_a_password_fits_in_either_unicode_form() {
    assert!(verify(&cheap("cafe\u{301}".replace("e\u{301}", "é").as_str()), &secret("cafe\u{301}")));
    // Of `pässwörd-€`, in the normal form; and of what was typed in the other form.
    let bcrypt = secret("$2b$04$HG/j6qJx3BNK8GC/RJ1Na.shqLcb1n4zwRLfGUsQ0POv7nPhgnG5C");
    assert!(verify(&bcrypt, &secret("pässwörd-€")));
    assert!(verify(&bcrypt, &secret("pa\u{308}sswo\u{308}rd-€")));
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

#[test]
fn users_of_a_database_may_have_more_kinds_of_hashes() {
    let bcrypt = "$2b$04$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6";
    let cost = |text: &str| super::cost(&secret(text));
    assert_eq!(cost(bcrypt), Ok(Cost::Bcrypt { cost: 4 }));
    assert_eq!(super::check(&secret(bcrypt)), Err(Error::NotPhc));
    assert_eq!(cost(&bcrypt.replace("$04$", "$15$")), Err(Error::ForeignTooCostly));
    assert_eq!(cost(&cheap("x").expose().replace("m=8", "m=4194304")), Err(Error::TooCostly));
    for other in ["", "hunter2", "$argon2id$v=19$m=8,t=1,p=1", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ"] {
        assert_eq!(cost(other), Err(Error::Unknown), "{other}");
        assert!(!verify(&secret(other), &secret(other)));
    }
}

#[test]
fn a_stand_in_costs_what_it_stands_for() {
    for cost in [
        COST,
        Cost::Argon2id { memory_kib: 64, passes: 3, lanes: 2 },
        Cost::Bcrypt { cost: 4 },
        Cost::Pbkdf2Sha256 { iterations: 3 },
        Cost::Scrypt { log_n: 4, r: 8, p: 1 },
    ] {
        assert_eq!(work_of(|| StandIn::new(cost).verify(&secret("x"))), [cost]);
        assert_eq!(work_of(|| StandIn::new(cost).verify(&secret(&"x".repeat(PASSWORD_MAX_BYTES + 1)))), []);
    }
}

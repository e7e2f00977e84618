use super::*;

const PASSWORD: &str = "correct horse battery staple";
/// bcrypt 4.0.1 of PyPI.
const BCRYPT_2B: &str = "$2b$04$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6";
const BCRYPT_2A: &str = "$2a$04$KXYxhvJcmGPMpn5unNVvS.XJAa1wgAFxmPajw89Z6Tr4DskNFaPBK";
/// passlib 1.7.4.
const PASSLIB_PBKDF2: &str = "$pbkdf2-sha256$1000$pfQeY.x9LyWEcI6R0rpXKg$lItUeCFEM9giD3qRPSoIczDOlmow6YHWhvltXYpfO.M";
const PASSLIB_SCRYPT: &str = "$scrypt$ln=4,r=8,p=1$XStFKGVsbU0pxbi39h6jNA$O4mLi4lKMzBsdRSDGHuaJbiiAzEIaycLqyCT6edkb24";
/// Django 5.2.
const DJANGO: &str = "pbkdf2_sha256$1000$HXq9TJTjTagM3TtzdGf6wa$ee+CIgNNjJyAaHma2hzEbZ1ir0Kos3ker3WankFaovE=";

#[track_caller]
fn check(hash: &str, password: &str, cost: Cost) {
    let hash = ForeignHash::parse(hash).unwrap_or_else(|| panic!("{hash} is read"));
    assert_eq!(hash.cost, cost);
    assert!(hash.verify(password.as_bytes()));
    for wrong in [&format!("{password}x"), "", "Correct horse battery staple"] {
        assert!(wrong == password || !hash.verify(wrong.as_bytes()), "{wrong}");
    }
}

const fn pbkdf2(iterations: u32) -> Cost {
    Cost::Pbkdf2Sha256 { iterations }
}

#[test]
fn hashes_of_other_systems_fit_their_passwords() {
    check(BCRYPT_2B, PASSWORD, Cost::Bcrypt { cost: 4 });
    check(BCRYPT_2A, PASSWORD, Cost::Bcrypt { cost: 4 });
    check(&BCRYPT_2B.replace("$2b$", "$2y$"), PASSWORD, Cost::Bcrypt { cost: 4 });
    check("$2b$04$HG/j6qJx3BNK8GC/RJ1Na.shqLcb1n4zwRLfGUsQ0POv7nPhgnG5C", "pässwörd-€", Cost::Bcrypt { cost: 4 });
    check(PASSLIB_PBKDF2, PASSWORD, pbkdf2(1000));
    check(PASSLIB_SCRYPT, PASSWORD, Cost::Scrypt { log_n: 4, r: 8, p: 1 });
    check(DJANGO, PASSWORD, pbkdf2(1000));
    check("pbkdf2_sha256$1000$seasalt$3xmXbyk2QpiyNcnoBbzRPwEBsYPTbDlRdtmLyBvQltA=", PASSWORD, pbkdf2(1000));
}

/// jBCrypt's `TestBCrypt`.
#[test]
fn the_vectors_of_jbcrypt_hold() {
    let cost = Cost::Bcrypt { cost: 6 };
    check("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", "", cost);
    check("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a", cost);
}

#[test]
fn bcrypt_sees_72_bytes_of_a_password() {
    let hash = ForeignHash::parse("$2b$04$2U4jYpLLp4iVEIvxu8/JoOnextfpxM757v6I0f441pR03MXQ5FIoi").expect("a hash");
    assert!(hash.verify("x".repeat(80).as_bytes()));
    assert!(hash.verify("x".repeat(72).as_bytes()), "as every bcrypt");
    assert!(!hash.verify("x".repeat(71).as_bytes()));
}

/// RFC 7914 §12, without the vector that needs a gigabyte.
#[test]
fn the_vectors_of_rfc_7914_hold_for_scrypt() {
    check(
        "$scrypt$ln=4,r=1,p=1$$d9ZXYjhleyA7GcpCwYoEl/FrSETjB0ro39/6P+3iFEL80Aad7QlI+DJqdToPyB8X6NPg+y4NNijPNeIMONGJBg",
        "",
        Cost::Scrypt { log_n: 4, r: 1, p: 1 },
    );
    check(
        "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA",
        "password",
        Cost::Scrypt { log_n: 10, r: 8, p: 16 },
    );
    check(
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
        "pleaseletmein",
        Cost::Scrypt { log_n: 14, r: 8, p: 1 },
    );
}

/// RFC 7914 §11.
#[test]
fn the_vectors_of_rfc_7914_hold_for_pbkdf2() {
    check(
        "$pbkdf2-sha256$i=1,l=64$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw",
        "passwd",
        pbkdf2(1),
    );
    check(
        "$pbkdf2-sha256$i=80000,l=64$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1ah1CWhIlgzVJrbhBtRybMXaicr3ruh0HhHj2Kzl/M8jQ",
        "Password",
        pbkdf2(80_000),
    );
}

#[test]
fn what_is_no_hash_of_these_is_not_read() {
    let short = |hash: &str| hash[..hash.len() - 1].to_owned();
    for text in [
        String::new(),
        "hunter2".to_owned(),
        "$2b$04$".to_owned(),
        short(BCRYPT_2B),
        format!("{BCRYPT_2B}x"),
        format!("{BCRYPT_2B}$x"),
        BCRYPT_2B.replace("$04$", "$4$"),
        BCRYPT_2B.replace("$04$", "$+4$"),
        BCRYPT_2B.replace("$2b$", "$2x$"),
        BCRYPT_2B.replace("$2b$", "$2$"),
        BCRYPT_2B.replace("5gh8", "5g€8"),
        PASSLIB_SCRYPT.replace("ln=4,r=8,p=1", "ln=4,r=8"),
        PASSLIB_SCRYPT.replace("ln=4,r=8,p=1", "r=8,ln=4,p=1"),
        PASSLIB_SCRYPT.replace("ln=4,r=8,p=1", "ln=4,r=8,p=1,x=1"),
        PASSLIB_SCRYPT.replace("ln=4", "ln=400"),
        PASSLIB_PBKDF2.replace("$1000$", "$x$"),
        PASSLIB_PBKDF2.replace("$1000$", "$99999999999$"),
        // A digest of a few bytes would match many passwords.
        PASSLIB_PBKDF2.replace("lItUeCFEM9giD3qRPSoIczDOlmow6YHWhvltXYpfO.M", "lItUeA"),
        DJANGO.replace("pbkdf2_sha256", "pbkdf2_sha1"),
        DJANGO.replace("$1000$", "$1000$1000$"),
    ] {
        assert!(ForeignHash::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn a_hash_that_would_stall_the_machine_matches_nothing_at_once() {
    for text in [
        BCRYPT_2B.replace("$04$", "$31$"),
        PASSLIB_SCRYPT.replace("ln=4", "ln=40"),
        PASSLIB_SCRYPT.replace("p=1$", "p=4000000000$"),
        PASSLIB_PBKDF2.replace("$1000$", "$4294967295$"),
    ] {
        let hash = ForeignHash::parse(&text).expect("a hash");
        assert!(!hash.cost.is_bearable() && !hash.verify(PASSWORD.as_bytes()), "{text}");
    }
}

#[test]
fn a_stand_in_costs_the_same_and_matches_nothing() {
    for cost in [Cost::Bcrypt { cost: 4 }, pbkdf2(7), Cost::Scrypt { log_n: 4, r: 8, p: 1 }] {
        let stand_in = ForeignHash::stand_in(cost).expect("foreign");
        assert_eq!(stand_in.cost, cost);
        assert!(!stand_in.verify(b"") && !stand_in.verify(PASSWORD.as_bytes()));
    }
}

use serde_json::Value;

use super::*;
use crate::claims::tests::signing_key;

#[test]
fn every_key_is_published_once_in_both_forms() {
    let (signing, retired) = (signing_key(), signing_key());
    let keys = PublicKeys::new(signing.public(), &[retired.public().clone(), signing.public().clone()]);
    let key_set: Value = serde_json::from_slice(keys.answer(&Asked::Set).expect("published").body()).expect("JSON");
    let kids: Vec<&str> =
        key_set["keys"].as_array().expect("an array").iter().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(kids, [signing.kid(), retired.kid()]);
    for key in [signing, retired] {
        let response = keys.answer(&Asked::Key(key.kid().to_owned())).expect("published");
        assert_eq!(response.body(), key.public().pem());
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=300");
    }
}

#[test]
fn k_02_a_key_that_is_not_ours_is_not_served() {
    let key = signing_key();
    let keys = PublicKeys::new(key.public(), &[]);
    for kid in ["", "../jwks.json", "00000000-0000-8000-8000-000000000000", &key.kid().to_uppercase()] {
        let path = format!("/.well-known/vestibule/keys/{kid}");
        assert!(is_reserved(&path), "{kid}");
        assert!(Asked::by(&path).is_none_or(|asked| keys.answer(&asked).is_none()), "{kid}");
    }
}

use super::*;
use crate::session::tests::session;

#[test]
fn another_version_is_no_session() {
    let mut bytes = encode(&session(10)).expect("fits");
    bytes[0] = VERSION + 1;
    assert_eq!(decode(&bytes).err(), Some(Error::Version));
    assert_eq!(decode(&[]).err(), Some(Error::Invalid));
}

#[test]
fn d_09_a_compressed_bomb_is_not_unpacked() {
    let bomb = deflated(&vec![b' '; 20 * 1024 * 1024]);
    assert_eq!(decode(&bomb).err(), Some(Error::Invalid));
}

#[test]
fn what_grows_much_and_what_hardly_grows_are_inflated_whole() {
    let random = crate::crypto::octets::random::<5000>().to_vec();
    for plain in [vec![], b"x".to_vec(), random, vec![b' '; PLAIN_BYTES_MAX]] {
        assert_eq!(inflated(&deflated(&plain)[1..]), Ok(plain));
    }
    assert_eq!(inflated(&deflated(&vec![b' '; PLAIN_BYTES_MAX + 1])[1..]), Err(Error::Invalid));
    // A failed decompression does not affect the next one.
    assert_eq!(inflated(&deflated(b"a session")[1..]), Ok(b"a session".to_vec()));
}

#[test]
fn what_the_reader_would_refuse_is_not_written() {
    let mut large = session(10);
    let claims = [("name".to_owned(), "x".repeat(PLAIN_BYTES_MAX).into())].into_iter().collect();
    large.identity = Arc::new(Identity::assertion("https://idp.test".into(), "alice".into(), claims, None));
    assert_eq!(encode(&large).err(), Some(Error::TooLarge));
}

#[test]
fn a_truncated_or_foreign_payload_is_refused() {
    let bytes = encode(&session(10)).expect("fits");
    for length in 1..bytes.len() {
        assert_eq!(decode(&bytes[..length]).err(), Some(Error::Invalid), "{length}");
    }
    for plain in ["", "null", "[]", "{}", r#"{"id":[1]}"#, r#"{"subject":"admin"}"#] {
        assert_eq!(decode(&deflated(plain.as_bytes())).err(), Some(Error::Invalid), "{plain}");
    }
}

#[test]
fn a_field_that_a_newer_program_added_is_ignored() {
    let bytes = encode(&session(10)).expect("fits");
    let plain = inflated(&bytes[1..]).expect("inflates");
    let plain = String::from_utf8(plain).expect("JSON is UTF-8");
    let more = plain.replacen('{', r#"{"colour":"blue","#, 1);
    decode(&deflated(more.as_bytes())).expect("reads");
}

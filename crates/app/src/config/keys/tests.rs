use super::*;

fn read(text: &str) -> Result<[u8; 32], Error> {
    secret_key(&Secret::new(text.to_owned())).map(|key| *key.expose())
}

#[test]
fn a_new_key_reads_back_in_hexadecimal_and_in_base64() {
    let text = new_secret_key();
    let bytes = secret_key(&text).unwrap();
    let bytes = bytes.expose();
    assert_eq!(read(&base64::engine::general_purpose::STANDARD.encode(bytes)).unwrap(), *bytes);
    assert_eq!(read(&base64::engine::general_purpose::URL_SAFE.encode(bytes)).unwrap(), *bytes);
    assert_eq!(read(&URL_SAFE_NO_PAD.encode(bytes)).unwrap(), *bytes);
}

#[test]
fn what_is_not_256_random_bits_is_refused() {
    assert_eq!(read(""), Err(Error::NotAKey));
    assert_eq!(read("correct horse battery staple"), Err(Error::NotAKey));
    assert_eq!(read("0123456789abcdef0123456789abcdef"), Err(Error::Length(128)));
    assert_eq!(read(&"00".repeat(32)), Err(Error::NotRandom));
    assert_eq!(read(&STANDARD_NO_PAD.encode([7; 32])), Err(Error::NotRandom));
    assert_eq!(read(&STANDARD_NO_PAD.encode([7; 31])), Err(Error::Length(248)));
}

#[test]
fn a_longer_key_is_hashed_and_a_file_of_bytes_is_the_key() {
    assert_ne!(read(&"0123456789abcdef".repeat(8)).unwrap(), [0; 32]);
    let raw: Vec<u8> = (0..32).map(|byte| byte * 8).collect();
    assert_eq!(secret_key(&secret_key_text(raw.clone())).unwrap().expose().as_slice(), raw);
    assert!(matches!(secret_key(&secret_key_text(vec![0xff, 1])), Err(Error::Length(16))));
}

#[test]
#[cfg(unix)]
fn a_key_file_is_for_its_owner_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = crate::testing::temporary_directory("keys");
    let path = directory.join("below/key");
    write_new(&path, &Secret::new("one".to_owned())).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = write_new(&path, &Secret::new("two".to_owned())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
}

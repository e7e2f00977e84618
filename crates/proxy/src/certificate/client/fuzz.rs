//! For `fuzz/`: names of certificates, as bytes of ASN.1 and as text of an operator.

use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::certificate::client::name;

/// A distinguished name. The first byte says whether the rest is one in DER or as text.
///
/// What a certificate says becomes a header field and is compared with what an operator has written, so its text must not end a field or
/// lose a character in one, and must be the spelling that the same name has when it is written.
pub fn distinguished_name(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    if first % 2 == 0 {
        let Ok((_, parsed)) = X509Name::from_der(rest) else { return };
        let text = name::text(&parsed);
        is_plain(&text);
        // A part without attributes, an attribute whose type is no identifier (`untyped`, `long_type`), or a value without an encoding, cannot be written.
        let is_identifier = |kind: &str| !kind.contains(' ') && !kind.bytes().all(|byte| byte.is_ascii_digit());
        let is_unwritable = |part: &str| {
            part.is_empty()
                || part.ends_with("=#")
                || part.split_once('=').is_some_and(|(kind, _)| !is_identifier(kind))
        };
        let is_writable = !text.is_empty() && !text.split([',', '+']).any(is_unwritable);
        if is_writable {
            assert_eq!(name::read(&text).as_deref(), Some(&*text), "the spelling of a certificate");
        }
    } else if let Some(spelling) = std::str::from_utf8(rest).ok().and_then(name::read) {
        is_plain(&spelling);
        assert_eq!(name::read(&spelling).as_deref(), Some(&*spelling), "one spelling");
    }
}

/// Whether a header field keeps every character.
fn is_plain(text: &str) {
    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text:?}");
    assert_eq!(text.trim(), text, "a field would lose the blank");
}

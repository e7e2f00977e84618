//! Distinguished names as text (RFC 4514), in one spelling: what a certificate has, and what an operator has written.
//!
//! The text has no byte outside visible ASCII and the space. All others are written as `\` and two hexadecimal digits (RFC 4514
//! §2.4), so that a name cannot end a header field, and the same name has one spelling whatever its ASN.1 type.

use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, ToDer as _};
use x509_parser::x509::X509Name;

/// Attribute types with a short name: that of RFC 4514 §3, and those that OpenSSL prints.
const TYPES: [(&str, &str); 14] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("street", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("serialNumber", "2.5.4.5"),
    ("SN", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("title", "2.5.4.12"),
];

/// The name as text, the most specific part first.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<Vec<String>> = name
        .iter_rdn()
        .map(|rdn| rdn.iter().map(|one| attribute(&one.attr_type().to_id_string(), one.attr_value())).collect())
        .collect();
    parts.reverse();
    joined(parts)
}

/// One spelling of a name that an operator has written. `None` if it is not a distinguished name.
pub fn read(text: &str) -> Option<String> {
    let mut reader = Reader(text);
    let mut parts = vec![Vec::new()];
    loop {
        let attribute = reader.attribute()?;
        parts.last_mut()?.push(attribute);
        match reader.next() {
            None => return Some(joined(parts)),
            Some(',') => parts.push(Vec::new()),
            Some('+') => {}
            Some(_) => return None,
        }
    }
}

/// The types of the parts of a name in its one spelling, in the order of the text.
pub fn kinds(name: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    let parts = name.split(move |c| {
        let is_end = c == ',' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    parts.filter_map(|part| Some(part.split_once('=')?.0))
}

/// The attributes of one part have no order of their own: the text sorts them.
fn joined(mut parts: Vec<Vec<String>>) -> String {
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts.iter().map(|part| part.join("+")).collect::<Vec<_>>().join(",")
}

fn attribute(oid: &str, value: &Any<'_>) -> String {
    let known = TYPES.iter().find(|(_, known)| *known == oid);
    match (known, decoded(value)) {
        (Some((name, _)), Some(value)) => format!("{name}={}", escaped(value.as_bytes())),
        (known, _) => {
            // RFC 4514 §2.4: the encoding, where there is no text. A value that cannot be encoded again has no text at all.
            let der = value.to_der_vec().unwrap_or_default();
            format!("{}=#{}", known.map_or(oid, |(name, _)| name), hex(&der))
        }
    }
}

/// The text of a directory string (RFC 5280 §4.1.2.4).
fn decoded(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.header.tag().0 {
        // UTF8String, NumericString, PrintableString, IA5String.
        12 | 18 | 19 | 22 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        // TeletexString: what is in use is Latin-1.
        20 => Some(bytes.iter().copied().map(char::from).collect()),
        // UniversalString.
        28 => {
            let (units, []) = bytes.as_chunks::<4>() else { return None };
            units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
        }
        // BMPString.
        30 => {
            let (units, []) = bytes.as_chunks::<2>() else { return None };
            String::from_utf16(&units.iter().map(|unit| u16::from_be_bytes(*unit)).collect::<Vec<_>>()).ok()
        }
        _ => None,
    }
}

fn escaped(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for (place, byte) in value.iter().copied().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => text.extend(['\\', char::from(byte)]),
            b'#' if place == 0 => text.push_str("\\#"),
            // A header field would lose it.
            b' ' if place + 1 == value.len() => text.push_str("\\20"),
            b' ' if place == 0 => text.push_str("\\ "),
            b' '..=b'~' => text.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(text, "\\{byte:02X}")),
        }
    }
    text
}

/// Upper-case hexadecimal digits, two for each byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// What is left of a name that is being read.
struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let first = self.0.chars().next()?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn attribute(&mut self) -> Option<String> {
        let (kind, rest) = self.0.split_once('=')?;
        self.0 = rest.trim_start_matches(' ');
        let kind = kind.trim_matches(' ');
        let named = TYPES.iter().find(|(name, oid)| name.eq_ignore_ascii_case(kind) || *oid == kind);
        if let Some(rest) = self.0.strip_prefix('#') {
            let end = rest.find([',', '+']).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at(end);
            self.0 = rest;
            let digits = digits.trim_end_matches(' ');
            let is_hex = digits.len().is_multiple_of(2)
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_oid = named.is_some()
                || (kind.contains('.') && kind.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
            let kind = named.map_or(kind, |(name, _)| name);
            return (is_hex && is_oid).then(|| format!("{kind}=#{}", digits.to_ascii_uppercase()));
        }
        let value = self.value()?;
        Some(format!("{}={}", named?.0, escaped(&value)))
    }

    /// The bytes of a value, up to the next part.
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        // Bytes up to the last that is no unescaped space.
        let mut kept = 0;
        while let Some(next) = self.0.chars().next().filter(|next| !matches!(next, ',' | '+')) {
            self.next();
            match next {
                '\\' => {
                    let pair = self.0.get(..2).filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
                    if let Some(pair) = pair {
                        value.push(u8::from_str_radix(pair, 16).ok()?);
                        self.0 = &self.0[2..];
                    } else {
                        let special = self.next().filter(|next| " \"#+,;<=>\\".contains(*next))?;
                        value.push(u8::try_from(special).ok()?);
                    }
                    kept = value.len();
                }
                '"' | ';' | '<' | '>' => return None,
                ' ' => value.push(b' '),
                other => {
                    value.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    kept = value.len();
                }
            }
        }
        value.truncate(kept);
        std::str::from_utf8(&value).ok()?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(written: &str, expected: Option<&str>) {
        assert_eq!(read(written).as_deref(), expected, "{written:?}");
        if let Some(expected) = expected {
            assert_eq!(read(expected).as_deref(), Some(expected), "the one spelling reads as itself");
        }
    }

    #[test]
    fn a_name_that_an_operator_writes_has_one_spelling() {
        for (written, expected) in [
            ("CN=ada,O=Example", "CN=ada,O=Example"),
            (" cn = ada , o=Example ", "CN=ada,O=Example"),
            ("2.5.4.3=ada", "CN=ada"),
            ("OU=b+CN=a,O=c", "CN=a+OU=b,O=c"),
            (r"CN=a\,b\+c,O=\ x\ ", r"CN=a\,b\+c,O=\ x\20"),
            (r"CN=a,O=\ ", r"CN=a,O=\20"),
            (r"CN=a\2Cb", r"CN=a\,b"),
            ("CN=J\u{fc}rgen", r"CN=J\C3\BCrgen"),
            (r"CN=J\c3\bcrgen", r"CN=J\C3\BCrgen"),
            (r"CN=a\0D\0Ab", r"CN=a\0D\0Ab"),
            ("CN=a=b", "CN=a=b"),
            ("CN=", "CN="),
            ("1.2.3.4=#0c0161", "1.2.3.4=#0C0161"),
            ("CN=two  words", "CN=two  words"),
        ] {
            reads(written, Some(expected));
        }
    }

    #[test]
    fn the_types_of_a_name_are_those_of_its_parts() {
        for (name, expected) in [
            ("CN=ada,O=Example", &["CN", "O"][..]),
            (r"C=DE,O=Example\, Inc.,CN=a=b", &["C", "O", "CN"]),
            (r"O=a\\,CN=b", &["O", "CN"]),
            ("CN=", &["CN"]),
        ] {
            assert_eq!(kinds(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for written in [
            "",
            "ada",
            "CN",
            "CN=a,",
            "CN=a,,O=b",
            "XX=a",
            "1.2.3.4=a",
            "1.2.3.4=#0c016",
            "CN=#",
            "CN=#zz",
            "/CN=a/O=b",
            "CN=\"a\"",
            "CN=a;O=b",
            "CN=a\\",
            r"CN=\FF",
            r"CN=\q",
        ] {
            reads(written, None);
        }
    }
}

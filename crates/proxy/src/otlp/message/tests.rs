use super::*;
use crate::telemetry::traces::span::Value;

/// A span with every field.
pub(in crate::otlp) fn example() -> span::Span {
    let mut attributes = Attributes::default();
    attributes.text("url.path", "/a");
    attributes.number("http.response.status_code", 502);
    attributes.0.push(("vestibule.actions", Value::Texts(vec!["authenticate", "forward"])));
    span::Span {
        context: Context { trace: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, span: 0x1112_1314_1516_1718 },
        parent: Some(0x2122_2324_2526_2728),
        has_remote_parent: true,
        link: Some(Context { trace: 7, span: 8 }),
        name: "GET app".into(),
        kind: Kind::Server,
        start: 1_795_507_200_000_000_001,
        end: 1_795_507_200_500_000_002,
        attributes,
        is_error: true,
    }
}

#[test]
fn a_span_is_written_with_the_numbers_of_the_standard() {
    // The official messages read it in `tests/it/traces.rs`. Here, no byte changes by mistake.
    let request = request(&[("service.name".to_owned(), "door".to_owned())], &[example()]);
    let hex: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    for part in [
        // Field 1 of the span, 16 bytes; field 2, 8 bytes; field 4, 8 bytes; field 5, the name.
        "0a100102030405060708090a0b0c0d0e0f10",
        "12081112131415161718",
        "22082122232425262728",
        "2a074745542061707030023901",
        // The status, field 15 with code 2 in field 3; the flags, field 16, little endian.
        "7a021802",
        "850101030000",
    ] {
        assert!(hex.contains(part), "{part} in {hex}");
    }
}

#[test]
fn what_the_collector_refuses_is_read() {
    assert_eq!(refused(Bytes::new()), (0, String::new()));
    assert_eq!(refused(Bytes::from_static(b"\x0a\x0b\x08\x03\x12\x07too old")), (3, "too old".to_owned()));
    assert_eq!(refused(Bytes::from_static(b"<html>")), (0, String::new()));
    // A negative count.
    assert_eq!(
        refused(Bytes::from_static(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
        (0, String::new())
    );
}

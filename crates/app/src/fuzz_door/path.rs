//! The path of a request: the rule that takes it, against what targets make of the same bytes.

use std::sync::Arc;

use http::Uri;
use http::uri::PathAndQuery;

use crate::app::fuzz;
use crate::proxy::snapshot::Snapshot;

/// The rules of [`CONFIGURATION`] in order, for a matcher that is as simple as can be.
const RULES: [(&str, &str); 8] = [
    ("admin", "/admin/*"),
    ("bare", "/admin"),
    ("kept", "/kept/*"),
    ("inner", "/kept/secret/*"),
    ("one", "/?x/*"),
    ("php", "*.php"),
    ("deep", "/a/*/z"),
    ("accent", "/caf\u{e9}/*"),
];

/// `kept` takes `%2F`; a later rule is not reached by it.
const CONFIGURATION: &str = r#"
listeners:
  - name: fuzz
    address: 127.0.0.1:8080
    protocol: http
    rules:
      - { name: admin, priority: 1, conditions: [{ path_pattern: ["/admin/*"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: bare, priority: 2, conditions: [{ path_pattern: ["/admin"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: kept, priority: 3, encoded_slash: keep, conditions: [{ path_pattern: ["/kept/*"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: inner, priority: 4, conditions: [{ path_pattern: ["/kept/secret/*"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: one, priority: 5, encoded_slash: keep, conditions: [{ path_pattern: ["/?x/*"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: php, priority: 6, encoded_slash: keep, conditions: [{ path_pattern: ["*.php"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: deep, priority: 7, encoded_slash: keep, conditions: [{ path_pattern: ["/a/*/z"] }], actions: [{ type: fixed-response, status_code: 200 }] }
      - { name: accent, priority: 8, conditions: [{ path_pattern: ["/café/*"] }], actions: [{ type: fixed-response, status_code: 200 }] }
    default_actions: [{ type: fixed-response, status_code: 200 }]
"#;

/// `input` is a request target. Whatever a target makes of what it is sent, in each of the ways in which servers read a path, it would
/// have led to the rule that has taken it.
pub fn canonical_path(input: &[u8]) {
    thread_local! {
        static SNAPSHOT: Arc<Snapshot> = fuzz::snapshot(CONFIGURATION);
    }
    let Ok(uri) = Uri::try_from(input) else { return };
    // `http://app.test/x` and the like; another host is another story.
    if uri.authority().is_some_and(|authority| authority.as_str() != "app.test") {
        return;
    }
    let Ok((rule, sent)) = SNAPSHOT.with(|snapshot| fuzz::decided(snapshot, uri.clone())) else { return };
    let sent: PathAndQuery = sent.parse().expect("a path and a query");
    assert_eq!(sent.query(), uri.query(), "the query has changed");
    let path = sent.path();
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
    assert!(!path.contains('\\'), "{path}");
    for (way, seen) in readings(path) {
        assert!(!seen.split('/').any(|segment| matches!(segment, "." | "..")), "{way}: a dot segment in {seen}");
        let takes = RULES.iter().find(|(_, pattern)| matches(pattern, &seen)).map_or("default", |(name, _)| name);
        let taken = if rule.starts_with("default") { "default" } else { &*rule };
        assert_eq!(taken, takes, "{input}, sent as {path}, is {seen} for whoever {way}", input = input.escape_ascii());
    }
}

/// What a target may make of a path, and how it does that.
fn readings(path: &str) -> Vec<(&'static str, String)> {
    let decoded = decoded(path, |_| true);
    // Octets that need to be encoded are encoded in every form that could be sent: nobody can match them as they are.
    let literal = self::decoded(path, |byte| !is_unreserved(byte));
    let names_first = decoded_names(path);
    let mut readings = vec![
        ("decodes", decoded.clone()),
        ("decodes and merges", merged(&decoded)),
        ("cuts parameters and decodes", names_first.clone()),
        ("cuts parameters, decodes and merges", merged(&names_first)),
        ("decodes and cuts parameters", without_parameters(&decoded)),
        ("decodes, cuts parameters and merges", merged(&without_parameters(&decoded))),
        ("decodes and cuts the query", until(&decoded, &['?', '#'])),
        ("decodes, cuts the query and parameters", without_parameters(&until(&decoded, &['?', '#']))),
    ];
    // Parameters are part of what these two see, and rules match without them.
    if !path.contains(';') {
        readings.push(("does not decode", literal.clone()));
        readings.push(("does not decode and merges", merged(&literal)));
    } else {
        // The same holds for those that do not cut them.
        readings.drain(..2);
        readings.retain(|(way, _)| !way.ends_with("cuts the query"));
    }
    readings
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Decodes the octets that `which` chooses.
fn decoded(path: &str, which: impl Fn(u8) -> bool) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) if which((high * 16 + low) as u8) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Splits, cuts parameters off, then decodes: what a servlet container does.
fn decoded_names(path: &str) -> String {
    let names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    let names: Vec<String> = names.map(|name| decoded(name, |_| true)).collect();
    names.join("/")
}

fn without_parameters(path: &str) -> String {
    let names: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    names.join("/")
}

fn until(path: &str, ends: &[char]) -> String {
    path.split(ends).next().unwrap_or_default().to_owned()
}

fn merged(path: &str) -> String {
    let mut merged = path.to_owned();
    while merged.contains("//") {
        merged = merged.replace("//", "/");
    }
    merged
}

/// `*` is any text, `?` is one character.
fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), first) => {
            let rest = &pattern[1..];
            matches(rest, text) || first.is_some_and(|first| matches(pattern, &text[first.len_utf8()..]))
        }
        (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
            matches(&pattern[wanted.len_utf8()..], &text[found.len_utf8()..])
        }
        _ => false,
    }
}

//! What `login --json` prints.

use serde_json::json;

use crate::cli::login::store::Entry;
use crate::clock::Timestamp;

/// The token with what is known of it, as an object in printable ASCII and line breaks. Some of it is what servers have said, and a terminal obeys
/// control characters in JSON, too.
pub(super) fn text(entry: &Entry) -> anyhow::Result<String> {
    let all = json!({
        "access_token": entry.access_token.expose(),
        "token_type": "Bearer",
        "expires_at": Timestamp::from_seconds(entry.expires_at).to_text(),
        "scope": entry.scope,
        "resource": entry.resource,
        "issuer": entry.issuer,
        "client_id": entry.client_id,
    });
    Ok(ascii(&serde_json::to_string_pretty(&all)?) + "\n")
}

/// JSON with all that is not printable ASCII escaped (RFC 8259 §7), except line breaks: those inside of strings are escaped already.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~' | '\n') {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out += &format!("\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn b_19_what_a_server_says_is_escaped() {
        let scope = "a\u{9b}31m\u{7f}\u{202e}b \u{1b}[2J \"q\" \\ ü \u{1f642}\n";
        let entry = Entry {
            resource: "https://app.test".into(),
            issuer: "https://a.test".into(),
            client_id: "cli\u{9b}2J".into(),
            asked_scope: None,
            names_resource: true,
            scope: Some(scope.into()),
            access_token: Secret::new("abc.def".into()),
            expires_at: 7,
            refresh_token: None,
        };
        let text = text(&entry).expect("JSON");
        assert!(text.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{text:?}");
        assert!(text.contains(r"a\u009b31m\u007f\u202eb \u001b[2J"), "{text}");
        assert!(text.contains(r"\u00fc \ud83d\ude42\n"), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&read["scope"], &read["client_id"]), (&json!(scope), &json!("cli\u{9b}2J")));
        assert_eq!((&read["access_token"], &read["expires_at"]), (&json!("abc.def"), &json!("1970-01-01T00:00:07Z")));
    }
}

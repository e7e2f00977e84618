//! Reads `WWW-Authenticate` (RFC 9110 §11.6.1) for the challenge of a bearer gate (RFC 6750 §3, RFC 9728 §5.1).

use http::{HeaderMap, header};

/// What a challenge of the scheme `Bearer` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Where the metadata of the resource is.
    pub(super) resource_metadata: Option<String>,
}

/// The first challenge of the scheme `Bearer` that names metadata.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Challenge> {
    let fields = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(read).find(|challenge| challenge.resource_metadata.is_some())
}

/// The challenges of the scheme `Bearer` in one field. What cannot be read ends the field.
fn read(field: &str) -> Vec<Challenge> {
    let (mut found, mut rest) = (Vec::<Challenge>::new(), Rest(field));
    let (mut has_scheme, mut is_bearer) = (false, false);
    while let Some(word) = rest.word() {
        // A name is followed by `=`, a scheme is not.
        match rest.value().filter(|_| has_scheme) {
            Some(value) => {
                if let Some(challenge) = found.last_mut().filter(|_| is_bearer)
                    && word.eq_ignore_ascii_case("resource_metadata")
                {
                    challenge.resource_metadata.get_or_insert(value);
                }
            }
            None => {
                (has_scheme, is_bearer) = (true, word.eq_ignore_ascii_case("bearer"));
                if is_bearer {
                    found.push(Challenge::default());
                }
            }
        }
    }
    found
}

/// What of a field is not read yet.
struct Rest<'f>(&'f str);

impl<'f> Rest<'f> {
    /// The next token (RFC 9110 §5.6.2), behind blanks and commas.
    fn word(&mut self) -> Option<&'f str> {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        Some(self.token()).filter(|word| !word.is_empty())
    }

    /// The token that begins here. It may be empty.
    fn token(&mut self) -> &'f str {
        let end = self.0.find(|c: char| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        token
    }

    /// The value behind `=`, if that comes next: a token or a quoted string (RFC 9110 §11.2).
    fn value(&mut self) -> Option<String> {
        let rest = self.0.trim_start_matches([' ', '\t']).strip_prefix('=')?.trim_start_matches([' ', '\t']);
        let Some(quoted) = rest.strip_prefix('"') else {
            // Credentials of another scheme may end with more of them.
            self.0 = rest.trim_start_matches('=');
            return Some(self.token().to_owned());
        };
        let (mut value, mut chars) = (String::new(), quoted.chars());
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => value.extend(chars.next()),
                Some(c) => value.push(c),
                None => {
                    self.0 = "";
                    return None;
                }
            }
        }
        self.0 = chars.as_str();
        Some(value)
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn metadata(fields: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(field).expect("a value"));
        }
        bearer(&headers)?.resource_metadata
    }

    #[test]
    fn the_metadata_is_found_among_challenges_of_any_schemes() {
        let found = Some("https://a.test/m".to_owned());
        for fields in [
            &[r#"Bearer resource_metadata="https://a.test/m""#][..],
            &[r#"bearer realm="x", error="invalid_token", Resource_Metadata = "https://a.test/m""#],
            &[r#"Basic realm="x, Bearer resource_metadata=\"no\"", Bearer resource_metadata="https://a.test/m""#],
            &[r#"Negotiate abc==, Bearer , resource_metadata="https:\/\/a.test/m", DPoP algs="ES256""#],
            &[r#"Session realm="vestibule""#, r#"Bearer realm="vestibule", resource_metadata="https://a.test/m""#],
            &[r#"Bearer realm="x""#, r#"Bearer resource_metadata="https://a.test/m", resource_metadata="second""#],
        ] {
            assert_eq!(metadata(fields), found, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_challenge_of_a_bearer_gate_names_nothing() {
        for field in [
            "",
            "Bearer",
            r#"Bearer realm="x""#,
            r#"Basic resource_metadata="https://a.test/m""#,
            r#"Bearer, Basic resource_metadata="https://a.test/m""#,
            r#"resource_metadata="https://a.test/m""#,
            r#"Bearer resource_metadata="https://a.test/m"#,
            r#"Bearers resource_metadata="https://a.test/m""#,
        ] {
            assert_eq!(metadata(&[field]), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_to_its_end(field in r#"[ -~\t]{0,200}"#, value in r#"[ -~]{0,60}"#) {
            read(&field);
            let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
            let read = read(&format!("Other a=b, Bearer x=y, resource_metadata=\"{quoted}\", z=\"\""));
            prop_assert_eq!(read[0].resource_metadata.as_deref(), Some(&*value));
        }
    }
}

//! The query of the way back from a provider.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::crypto::aead::Key;
use crate::message::form::Form;
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::secret::Secret;
use crate::session::pending::PendingLogins;
use crate::session::settings::Settings;

/// `input` is the query. Each field is found as a simple reader finds it, and no `state` opens that we did not seal.
pub fn callback_query(input: &[u8]) {
    let target = [b"/oauth2/idpresponse?", input].concat();
    let Ok(uri) = Uri::try_from(&target[..]) else { return };
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
    let Ok(request) = CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers) else { return };
    let query = request.query().unwrap_or_default();
    let fields = fields(query.as_bytes());
    let Ok(form) = Form::parse(query.as_bytes()) else {
        assert!(fields.len() > 100, "{} fields are too many", fields.len());
        return;
    };
    for name in ["state", "code", "iss", "error", ""] {
        let values: Vec<&String> = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect();
        match form.one(name) {
            Ok(None) => assert!(values.is_empty(), "{name} was not seen"),
            Ok(Some(found)) => assert_eq!(values, [found]),
            Err(_) => assert!(values.len() > 1, "{name} was seen twice"),
        }
    }
    if let Ok(Some(state)) = form.one("state") {
        let settings = Settings { keys: [Key::new(&Secret::new([7; 32]))].into(), clear_site_data: None };
        let logins = PendingLogins::new(&settings, Arc::from("__Host-vestibule"), 16 * 1024);
        assert!(logins.open_ticket::<serde_json::Value>("app.test", state).is_err(), "a ticket that we did not seal");
    }
}

/// `application/x-www-form-urlencoded`, as the URL Standard says (§5.1).
fn fields(query: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for pair in query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        fields.push((decoded(&pair[..end]), decoded(pair.get(end + 1..).unwrap_or_default())));
    }
    fields
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, more @ ..] = rest {
        let digit = |at: usize| more.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &more[2..];
            }
            (b'+', ..) => {
                bytes.push(b' ');
                rest = more;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

//! Checks the 101 of a target that opens a WebSocket (RFC 6455 §4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

use crate::crypto::octets;
use crate::message::upgrade::Upgrade;
use crate::upstream::http1::malformed::Malformed;

/// What follows the key in the digest (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Checks the fields of a 101.
///
/// The handshake of an HTTP/1.1 client is the client's own, and the client checks the answer. The handshake for an HTTP/2 client is ours:
/// without the right `Sec-WebSocket-Accept`, the target may be a server that does not know what it has agreed to.
///
/// # Errors
///
/// [`Malformed::Switch`], [`Malformed::Handshake`].
pub(super) fn check(upgrade: &Upgrade, headers: &HeaderMap) -> Result<(), Malformed> {
    if !headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Err(Malformed::Switch);
    }
    let Upgrade::Stream { key, .. } = upgrade else { return Ok(()) };
    let says_upgrade = headers.get_all(header::CONNECTION).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    let mut accepts = headers.get_all(header::SEC_WEBSOCKET_ACCEPT).iter();
    match (accepts.next(), accepts.next()) {
        (Some(accept), None) if says_upgrade && accept.as_bytes().trim_ascii() == accept_of(key).as_bytes() => Ok(()),
        _ => Err(Malformed::Handshake),
    }
}

/// The `Sec-WebSocket-Accept` that answers `key`.
fn accept_of(key: &HeaderValue) -> String {
    STANDARD.encode(octets::sha1(&[key.as_bytes(), GUID].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 6455 §1.3, and what answers it.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn checked(fields: &[(&'static str, &'static str)]) -> Result<(), Malformed> {
        let (stream, _) = tokio::io::duplex(1);
        let upgrade = Upgrade::Stream { stream: Box::new(stream), key: HeaderValue::from_static(KEY) };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check(&upgrade, &headers)
    }

    #[test]
    fn only_the_answer_to_our_key_opens_a_websocket() {
        let (upgrade, connection, accept) =
            (("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade"), ("sec-websocket-accept", ACCEPT));
        assert_eq!(checked(&[upgrade, connection, accept]), Ok(()));
        assert_eq!(checked(&[connection, accept]), Err(Malformed::Switch));
        assert_eq!(checked(&[("upgrade", "h2c"), connection, accept]), Err(Malformed::Switch));
        for wrong in [
            &[upgrade, connection][..],
            &[upgrade, accept],
            &[upgrade, ("connection", "keep-alive"), accept],
            &[upgrade, connection, accept, accept],
            &[upgrade, connection, ("sec-websocket-accept", KEY)],
            &[upgrade, connection, ("sec-websocket-accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")],
            &[upgrade, connection, ("sec-websocket-accept", "")],
        ] {
            assert_eq!(checked(wrong), Err(Malformed::Handshake), "{wrong:?}");
        }
    }
}

//! Which pages may open WebSockets as a signed-in user.

use http::{HeaderMap, header};

use crate::action::passage::Passage;
use crate::exchange::rejection::Reason;
use crate::message::uri::CanonicalRequest;

/// Refuses WebSockets of pages of other sites (attacks W-02). Browsers send the cookie and `Origin` with every handshake, and do
/// not block it themselves.
pub(super) fn check(passage: &Passage, canonical: &CanonicalRequest, headers: &HeaderMap) -> Result<(), Reason> {
    let (Some(visitor), Some(origin)) = (passage.visitor(), headers.get(header::ORIGIN)) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|text| url::Url::parse(text).ok());
    let is_ours = origin.is_some_and(|origin| {
        if visitor.allows_origin(&origin.origin().ascii_serialization()) {
            return true;
        }
        origin.scheme() == "https"
            && origin.host_str() == Some(canonical.host())
            && origin.port_or_known_default() == Some(canonical.authority.port().unwrap_or(443))
    });
    if is_ours { Ok(()) } else { Err(Reason::RequestOrigin) }
}

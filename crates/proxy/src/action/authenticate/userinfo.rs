//! Who am I: the claims of the session, for pages and scripts of the application. Never a token.

use std::rc::Rc;

use http::HeaderMap;
use serde_json::Value;

use crate::action::authenticate::answer;
use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::visitor::Visitor;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::GROUPS_ASKED;
use crate::message::Response;
use crate::message::media::Preferred;
use crate::message::uri::CanonicalRequest;

/// Answers for the first action that finds a session; 401 in JSON where none does.
pub(super) async fn answer(
    endpoints: &Endpoints,
    worker: &WorkerState,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    let now = exchange.started_at;
    let Some(signed_in) = endpoints.signed_in(worker, request.host(), headers, now).await else {
        // Not a page, also to whoever asks with a browser.
        exchange.preferred = Some(Preferred::Json);
        return Err(Reason::AuthRequired.into());
    };
    exchange.subject = Some(Rc::clone(signed_in.visitor.subject()));
    Ok(answer::json(&about(&signed_in.visitor)))
}

fn about(visitor: &Visitor) -> Value {
    let identity = visitor.identity();
    let mut about = identity.claims().clone();
    // It says what the rules of the whole file require, which users are told with `reveal` only.
    about.remove(GROUPS_ASKED);
    about.insert("sub".into(), identity.subject().into());
    about.insert("iss".into(), identity.issuer().into());
    about.insert("expires_at".into(), visitor.lease().expires_at().seconds().into());
    Value::Object(about)
}

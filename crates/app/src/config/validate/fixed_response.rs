//! `fixed-response` (ALB §7.3).

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::action::settings::FixedResponseSettings;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::document::suggest;
use crate::config::raw::action::{BODY_BYTES_MAX, FixedResponse};
use crate::config::validate::context::Context;

const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

pub(super) fn fixed_response(
    raw: &FixedResponse,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<FixedResponseSettings, Reported> {
    let status = StatusCode::from_u16(raw.status_code).ok();
    let status = status.filter(|status| status.is_success() || status.is_client_error() || status.is_server_error());
    let status = status.ok_or_else(|| {
        let message = format!(
            "status code {} is not allowed in a fixed response: use 200 to 299, or 400 to 599",
            raw.status_code
        );
        let hint = (300..400).contains(&raw.status_code).then(|| "use `redirect` for a redirect".to_owned());
        context.found.problem(&at.key("status_code"), message).maybe_hint(hint).reported()
    });
    let content_type = raw.content_type.as_str();
    let content_type = match CONTENT_TYPES.into_iter().find(|known| *known == content_type) {
        Some(known) => Ok(HeaderValue::from_static(known)),
        None => {
            let message = format!("content type `{content_type}` is not allowed in a fixed response");
            let problem = context.found.problem(&at.key("content_type"), message);
            problem.maybe_hint(suggest::hint(content_type, CONTENT_TYPES)).fail()
        }
    };
    let body = body(raw, at, context);
    Ok(FixedResponseSettings { status: status?, content_type: content_type?, body: body? })
}

fn body(raw: &FixedResponse, at: &Path, context: &mut Context<'_>) -> Result<Bytes, Reported> {
    let (body, key) = match (&raw.body, &raw.message_body) {
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("message_body"), "both `body` and `message_body` are set");
            let problem = problem.label(&at.key("body"), "the other one");
            return problem.hint("they are the same setting; keep one").fail();
        }
        (Some(body), None) => (body.as_str(), "body"),
        (None, Some(body)) => (body.as_str(), "message_body"),
        (None, None) => ("", "body"),
    };
    if body.len() > BODY_BYTES_MAX {
        let message = format!("the body has {} bytes; at most {BODY_BYTES_MAX} are allowed", body.len());
        return context.found.problem(&at.key(key), message).fail();
    }
    // RFC 9110 §15.3.5, §15.3.6: neither has content.
    if matches!(raw.status_code, 204 | 205) && !body.is_empty() {
        let message = format!("a response with status {} cannot have a body", raw.status_code);
        return context.found.problem(&at.key(key), message).fail();
    }
    Ok(Bytes::copy_from_slice(body.as_bytes()))
}

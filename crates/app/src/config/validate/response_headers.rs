//! `response_headers` of a listener.

use http::{HeaderName, HeaderValue, header};

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::listener::Listener;
use crate::config::raw::response_headers::ResponseHeaders as Raw;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cors;
use crate::message::response_headers::ResponseHeaders;

/// Maximum length of a value. Longer ones are refused by many clients and proxies together with the other headers.
const VALUE_BYTES_MAX: usize = 4096;

pub(super) fn response_headers(
    listener: &Listener,
    client_speaks: ClientSpeaks,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<ResponseHeaders>, Reported> {
    let raw = &listener.response_headers;
    let here = at.key("response_headers");
    let found = &mut context.found;
    let mut fields = texts(raw, &here, found)?;
    fields.extend(access_control(raw, &here, found)?);
    if raw.strict_transport_security.is_some() && client_speaks == ClientSpeaks::Http {
        // RFC 6797 §7.2.
        let problem = found.problem(
            &here.key("strict_transport_security"),
            "browsers ignore `Strict-Transport-Security` of a listener without HTTPS",
        );
        return problem.hint("set it on the `https` listener").fail();
    }
    let made = ResponseHeaders::new(fields, !raw.server);
    if made.as_ref().is_some_and(ResponseHeaders::has_cors) {
        let rules = at.key("rules");
        let of_rules = listener.rules.iter().filter(|(_, rule)| rule.cors.is_some());
        let mut policies = of_rules.map(|(index, _)| rules.index(index).key("cors"));
        if let Some(policy) = listener.cors.as_ref().map(|_| at.key("cors")).or_else(|| policies.next()) {
            let problem = found.problem(&here, "`access_control_*` headers and `cors` would contradict each other");
            return problem
                .label(&policy, "the other policy")
                .hint("keep `cors`, which also answers preflights")
                .fail();
        }
    }
    Ok(made)
}

type Fields = Vec<(HeaderName, HeaderValue)>;
/// Whether a text can be the value of a field.
type IsSound = fn(&str) -> bool;

fn texts(raw: &Raw, at: &Path, found: &mut Findings) -> Result<Fields, Reported> {
    let all: [(_, _, _, IsSound, _); 4] = [
        (
            "strict_transport_security",
            header::STRICT_TRANSPORT_SECURITY,
            &raw.strict_transport_security,
            has_max_age,
            "write `max-age=31536000; includeSubDomains`",
        ),
        (
            "content_security_policy",
            header::CONTENT_SECURITY_POLICY,
            &raw.content_security_policy,
            |text| !text.trim().is_empty(),
            "write `default-src 'self'`",
        ),
        (
            "x_content_type_options",
            header::X_CONTENT_TYPE_OPTIONS,
            &raw.x_content_type_options,
            |text| text == "nosniff",
            "write `nosniff`",
        ),
        (
            "x_frame_options",
            header::X_FRAME_OPTIONS,
            &raw.x_frame_options,
            |text| matches!(text, "DENY" | "SAMEORIGIN"),
            "write `DENY` or `SAMEORIGIN`; for other origins, use `frame-ancestors` of `content_security_policy`",
        ),
    ];
    let mut fields = Vec::new();
    for (key, name, text, is_sound, hint) in all {
        let Some(text) = text else { continue };
        let value = HeaderValue::from_str(text).ok().filter(|_| is_sound(text) && text.trim() == text);
        let Some(value) = value.filter(|value| value.len() <= VALUE_BYTES_MAX) else {
            let problem = found.problem(&at.key(key), format!("this is not a value of `{name}`"));
            return problem.hint(hint).fail();
        };
        fields.push((name, value));
    }
    Ok(fields)
}

/// RFC 6797 §6.1.1: the directive is required.
fn has_max_age(text: &str) -> bool {
    let seconds = |directive: &str| {
        let (name, value) = directive.split_once('=')?;
        (name.trim().eq_ignore_ascii_case("max-age")).then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    };
    text.split(';').filter_map(seconds).count() == 1
}

fn access_control(raw: &Raw, at: &Path, found: &mut Findings) -> Result<Fields, Reported> {
    let at_origin = at.key("access_control_allow_origin");
    let origin = match raw.access_control_allow_origin.as_ref() {
        Some(any) if any == "*" && raw.access_control_allow_credentials => {
            let message = "every website could read what its visitors may see here";
            let problem = found.problem(&at_origin, message);
            let problem = problem.label(&at.key("access_control_allow_credentials"), "because of this");
            return problem.hint("name one origin, or remove the credentials").fail();
        }
        Some(any) if any == "*" => Some(HeaderValue::from_static("*")),
        Some(text) => Some(cors::origin(text, &at_origin, found)?),
        None => None,
    };
    let methods = at.key("access_control_allow_methods");
    let methods = cors::list(&raw.access_control_allow_methods, &methods, found, cors::method)?;
    let headers = at.key("access_control_allow_headers");
    let headers = cors::list(&raw.access_control_allow_headers, &headers, found, cors::header_name)?;
    let exposed = at.key("access_control_expose_headers");
    let exposed = cors::list(&raw.access_control_expose_headers, &exposed, found, cors::header_name)?;
    let credentials = raw.access_control_allow_credentials.then(|| HeaderValue::from_static("true"));
    let fields = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed),
        (header::ACCESS_CONTROL_MAX_AGE, raw.access_control_max_age.map(HeaderValue::from)),
    ];
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

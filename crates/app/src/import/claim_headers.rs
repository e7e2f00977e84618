//! `claims.headers` of a draft: the headers that targets get and clients cannot set.
//!
//! The other system removed such a header from what clients send, and a target may believe it. An entry of `claims.headers` has the same
//! effect, also where no claim fills it.

use crate::import::draft::Draft;
use crate::import::yaml::{Map, Yaml};

/// A claim that nobody has.
const NOBODY: &str = "nobody-has-this-claim";

/// Headers that Vestibule sets or removes in any case.
pub(crate) const OURS: &[&str] = &[
    "forwarded",
    "proxy",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-amzn-oidc-accesstoken",
    "connection",
    "upgrade",
    "keep-alive",
    "te",
    "transfer-encoding",
];

/// Headers of the client about the answer that it wants. No target takes them for a user.
pub(crate) const OF_ANSWERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-charset",
    "if-modified-since",
    "if-none-match",
    "if-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "cache-control",
    "pragma",
    "referer",
    "user-agent",
    "expect",
    "dnt",
];

/// A name as Vestibule knows it: letters, digits and `-`.
pub(crate) fn header_name(name: &str) -> String {
    let name = name.trim_end_matches(':');
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect()
}

/// Puts a header with its claim into `claims.headers`.
///
/// # Errors
///
/// In a sentence, if a client could set it, or it has another claim already.
pub(crate) fn set(name: &str, claim: Yaml, draft: &mut Draft) -> Result<(), String> {
    let is_taken = matches!(
        name,
        "" | "host"
            | "content-length"
            | "content-type"
            | "trailer"
            | "authorization"
            | "cookie"
            | "set-cookie"
            | "origin"
            | "proxy-authorization"
            | "proxy-connection"
            | "x-requested-with"
    ) || name.starts_with("sec-")
        || OURS.contains(&name)
        || OF_ANSWERS.contains(&name);
    if is_taken {
        return Err(format!("claims.headers cannot have {name}"));
    }
    let mut headers = match draft.claims.get("headers") {
        Some(Yaml::Map(headers)) => headers.clone(),
        _ => Map::default(),
    };
    let nobody = Yaml::from(NOBODY);
    match headers.get(name) {
        // A header without a claim can be given one.
        Some(known) if *known != nobody && claim != nobody && *known != claim => {
            return Err(format!("{name} would have two claims: claims.headers are for all hosts"));
        }
        Some(known) if *known != nobody => {}
        _ => {
            headers.replace(name, claim);
        }
    }
    draft.claims.replace("headers", headers);
    Ok(())
}

/// Removes a header from what clients send.
///
/// # Errors
///
/// As [`set`].
pub(crate) fn remove(name: &str, draft: &mut Draft) -> Result<(), String> {
    set(name, Yaml::from(NOBODY), draft)
}

//! `session`.

use std::sync::Arc;

use http::HeaderValue;

use crate::action::authenticate::paths::Paths;
use crate::config::findings::Findings;
use crate::config::path::Path;
use crate::config::raw;
use crate::config::raw::session::ClearSiteData;
use crate::config::raw::value::List;
use crate::config::validate::{Context, keys};
use crate::session::settings::Settings;

/// What the section says, as far as it is sound.
pub(super) struct Session {
    /// For actions that name none of their own.
    pub(super) cookie_name: Arc<str>,
    pub(super) settings: Option<Settings>,
    pub(super) paths: Paths,
}

/// The session cookie's base name where nobody gives another.
pub(super) fn default_cookie_name() -> Arc<str> {
    Arc::from("__Host-vestibule")
}

/// Longest base name: it counts against the 4096 bytes of each part (DESIGN §5).
const COOKIE_NAME_LENGTH_MAX: usize = 64;

pub(super) fn session(raw: &raw::session::Session, at: &Path, context: &mut Context<'_>) -> Session {
    let cookie_name = match &raw.cookie_name {
        Some(name) => cookie_name(name, &at.key("cookie_name"), &mut context.found),
        None => None,
    };
    let paths = paths(raw.path_prefix.as_deref(), &at.key("path_prefix"), &mut context.found);
    let ring = keys::session_keys(&raw.key_files, &at.key("key_files"), context);
    Session {
        cookie_name: cookie_name.unwrap_or_else(default_cookie_name),
        settings: ring.map(|ring| Settings {
            keys: Arc::from(ring),
            clear_site_data: clear_site_data(raw.clear_site_data.as_ref()),
        }),
        paths,
    }
}

/// The field's value (Clear Site Data §3.1): quoted words in a list.
fn clear_site_data(written: Option<&List<ClearSiteData>>) -> Option<HeaderValue> {
    let word = |what: &ClearSiteData| match what {
        ClearSiteData::Cache => "\"cache\"",
        ClearSiteData::Cookies => "\"cookies\"",
        ClearSiteData::Storage => "\"storage\"",
    };
    let words: Vec<&str> = match written {
        Some(list) => list.iter().map(|(_, what)| word(what)).collect(),
        None => vec![word(&ClearSiteData::Cache)],
    };
    (!words.is_empty()).then(|| HeaderValue::try_from(words.join(", ")).expect("the words are ASCII"))
}

/// Longest prefix of the reserved paths.
const PATH_PREFIX_LENGTH_MAX: usize = 64;

/// Where sign-in, callback and sign-out are.
fn paths(prefix: Option<&str>, at: &Path, found: &mut Findings) -> Paths {
    let Some(prefix) = prefix else { return Paths::default() };
    if prefix.len() > PATH_PREFIX_LENGTH_MAX || !is_plain_path(prefix) {
        let problem = found.problem(at, format!("`{prefix}` cannot be the beginning of the sign-in's paths"));
        problem.hint(format!(
            "as `/oauth2` or `/sso/app`: letters, digits, `-`, `_`, `.` and `~` between slashes, none at the end, at most \
             {PATH_PREFIX_LENGTH_MAX} characters"
        ));
        return Paths::default();
    }
    Paths::new(prefix)
}

/// Whether every segment is one that the one reading of a path leaves as it is.
pub(super) fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain);
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

/// A cookie name that browsers accept.
pub(super) fn cookie_name(name: &str, at: &Path, found: &mut Findings) -> Option<Arc<str>> {
    // RFC 6265 §4.1.1: a token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > COOKIE_NAME_LENGTH_MAX || !name.bytes().all(token) {
        let problem = found.problem(at, format!("`{name}` is not a cookie name"));
        problem.hint(format!("letters, digits, `-`, `_` and `.`, at most {COOKIE_NAME_LENGTH_MAX}"));
        return None;
    }
    if !name.starts_with("__Host-") {
        let warning = found.warning(at, format!("the cookie `{name}` can be set by other hosts of the domain"));
        warning.hint(format!("`__Host-{name}` cannot (RFC 6265bis §4.1.3.2)"));
    }
    Some(Arc::from(name))
}

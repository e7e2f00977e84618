//! `session`.

use std::sync::Arc;

use http::HeaderValue;

use crate::action::authenticate::paths::Paths;
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::keys::Kind;
use crate::config::raw;
use crate::config::raw::session::{COOKIE_NAME, ClearSiteData};
use crate::config::raw::value::List;
use crate::config::validate::context::Context;
use crate::config::validate::keys;
use crate::session::settings::Settings;

/// The valid values of the section.
pub(super) struct Session {
    /// The default for actions without `session_cookie_name`.
    pub(super) cookie_name: Arc<str>,
    pub(super) settings: Result<Settings, Reported>,
    pub(super) paths: Paths,
}

/// The base name of the session cookie, if the file does not give one.
pub(super) fn default_cookie_name() -> Arc<str> {
    Arc::from(COOKIE_NAME)
}

/// Maximum length of the base name. It counts towards the 4096 bytes of each cookie (DESIGN §5).
const COOKIE_NAME_LENGTH_MAX: usize = 64;

pub(super) fn session(raw: &raw::session::Session, at: &Path, context: &mut Context<'_>) -> Session {
    let cookie_name = cookie_name(&raw.cookie_name, &at.key("cookie_name"), &mut context.found);
    let paths = paths(&raw.path_prefix, &at.key("path_prefix"), &mut context.found);
    let ring = keys::secret_keys(&raw.key_files, Kind::Session, &at.key("key_files"), context);
    Session {
        cookie_name: cookie_name.unwrap_or_else(|_| default_cookie_name()),
        settings: ring
            .map(|ring| Settings { keys: Arc::from(ring), clear_site_data: clear_site_data(&raw.clear_site_data) }),
        paths,
    }
}

/// The value of the header (Clear Site Data §3.1): quoted words, separated by commas.
fn clear_site_data(written: &List<ClearSiteData>) -> Option<HeaderValue> {
    let word = |what: &ClearSiteData| match what {
        ClearSiteData::Cache => "\"cache\"",
        ClearSiteData::Cookies => "\"cookies\"",
        ClearSiteData::Storage => "\"storage\"",
    };
    let words: Vec<&str> = written.iter().map(|(_, what)| word(what)).collect();
    (!words.is_empty()).then(|| HeaderValue::try_from(words.join(", ")).expect("the words are ASCII"))
}

/// Maximum length of `path_prefix`.
const PATH_PREFIX_LENGTH_MAX: usize = 64;

/// The paths of sign-in, callback and sign-out.
fn paths(prefix: &str, at: &Path, found: &mut Findings) -> Paths {
    if prefix.len() > PATH_PREFIX_LENGTH_MAX || !is_plain_path(prefix) {
        let problem = found.problem(at, format!("`{prefix}` is not a valid path prefix"));
        problem.hint(format!(
            "example: `/oauth2` or `/sso/app`; use letters, digits, `-`, `_`, `.` and `~` between slashes, no slash at the end, at most \
             {PATH_PREFIX_LENGTH_MAX} characters"
        ));
        return Paths::default();
    }
    Paths::new(prefix)
}

/// Whether canonicalization leaves every segment of the path unchanged.
pub(super) fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain);
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

/// Checks that browsers accept a name as that of a cookie.
pub(super) fn any_cookie_name(name: &str, at: &Path, found: &mut Findings) -> Result<Arc<str>, Reported> {
    // RFC 6265 §4.1.1: a token.
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > COOKIE_NAME_LENGTH_MAX || !name.bytes().all(token) {
        let problem = found.problem(at, format!("`{name}` is not a cookie name"));
        let hint = format!("use letters, digits, `-`, `_` and `.`, at most {COOKIE_NAME_LENGTH_MAX} characters");
        return problem.hint(hint).fail();
    }
    Ok(Arc::from(name))
}

/// Checks the base name of a session cookie.
pub(super) fn cookie_name(name: &str, at: &Path, found: &mut Findings) -> Result<Arc<str>, Reported> {
    let name = any_cookie_name(name, at, found)?;
    if !name.starts_with("__Host-") {
        let warning = found.warning(at, format!("the cookie `{name}` can be set by other hosts of the domain"));
        warning.hint(format!("use `__Host-{name}`, which they cannot set (RFC 6265bis §4.1.3.2)"));
    }
    Ok(name)
}

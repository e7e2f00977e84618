//! `login_page` of a pool and of its clients.

use url::Url;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::login_page::LoginPage as Written;
use crate::config::validate::context::Context;
use crate::config::validate::value;
use crate::user_pool::brand::LoginPage;

pub(super) fn login_page(
    raw: Option<&Written>,
    issuer: Option<&Url>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Option<LoginPage>, Reported> {
    let Some(raw) = raw else { return Ok(None) };
    let url = value::secure_url(&raw.url, &at.key("url"), &mut context.found);
    let origins = value::each(&raw.origins, &at.key("origins"), &mut context.found, |text, at, found| {
        value::origin(text, at, found).map(|url| url.origin().ascii_serialization())
    });
    let url = url?;
    if issuer.is_some_and(|issuer| issuer.origin() == url.origin()) {
        let problem = context.found.problem(&at.key("url"), "the pool serves this host itself");
        return problem.hint("the page is on a host of yours, as `https://www.example.com/login`").fail();
    }
    let mut origins = origins?;
    if origins.is_empty() {
        origins.push(url.origin().ascii_serialization());
    }
    Ok(Some(LoginPage { url, origins }))
}

//! `pages`, `custom_domains` and `login_page` of a pool, `pages` and `login_page` of its clients.

use std::collections::BTreeMap;

use url::Url;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::validate::context::Context;
use crate::config::validate::pages;
use crate::config::validate::user_pool::domains;
use crate::config::validate::user_pool::login_page::login_page;
use crate::page;
use crate::user_pool::brand::{LoginPage, Settings};

/// What the operator sets of a pool. `usual` is what the file sets for all pages.
pub(super) fn brand(
    raw: &UserPool,
    issuer: Option<&Url>,
    usual: &page::settings::Settings,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Settings, Reported> {
    let pool = pages::pages(raw.pages.as_ref(), usual, &at.key("pages"), context);
    let base = pool.as_ref().unwrap_or(usual);
    let login_page = login_page(raw.login_page.as_ref(), issuer, &at.key("login_page"), context);
    let (mut clients, mut client_login_pages) = (BTreeMap::new(), BTreeMap::new());
    let mut result = Ok(());
    for (index, client) in raw.clients.iter() {
        let at = at.key("clients").index(index);
        if client.pages.is_some() {
            match pages::pages(client.pages.as_ref(), base, &at.key("pages"), context) {
                Ok(pages) => drop(clients.insert(client.client_id.clone(), pages)),
                Err(reported) => result = Err(reported),
            }
        }
        match self::login_page(client.login_page.as_ref(), issuer, &at.key("login_page"), context) {
            Ok(page) => client_login_pages.extend(page.map(|page| (client.client_id.clone(), page))),
            Err(reported) => result = Err(reported),
        }
    }
    let domains = domains::domains(raw, issuer, at, context);
    result?;
    let (domains, login_page) = (domains?, login_page?);
    let ours = |page: &LoginPage| domains.iter().any(|domain| domain.host() == page.url.host());
    if login_page.iter().chain(client_login_pages.values()).any(ours) {
        let problem = context.found.problem(&at.key("custom_domains"), "a `login_page` is on one of these domains");
        return problem.hint("the pool serves them itself: put the page on another host").fail();
    }
    Ok(Settings { pages: raw.pages.is_some().then_some(pool?), clients, domains, login_page, client_login_pages })
}

//! Groups of a user who is in more groups than Microsoft Entra puts into an ID token ("groups overage"), from Microsoft Graph.
//!
//! Asked at the address of the configuration, with the access token of the user. The endpoint that the token names in
//! `_claim_sources` is never called (attacks O-05). `docs/decisions/0054` says which groups are kept, and why.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, header};
use serde_json::Value;
use url::Url;

use crate::identity::{Claims, GROUPS_ASKED};
use crate::jose::mismatch::quoted;
use crate::oidc::caller::{Caller, Endpoint};
use crate::oidc::document::{Document, Unreadable};
use crate::oidc::error::{Error, GroupsFault};
use crate::oidc::settings::Graph;
use crate::secret::Secret;

/// Pages of an answer. Each has at most 999 groups, and at most [`ANSWER_BYTES_MAX`] bytes.
///
/// [`ANSWER_BYTES_MAX`]: crate::backchannel::network::ANSWER_BYTES_MAX
pub(crate) const PAGES_MAX: usize = 20;

/// Microsoft Graph requires it of requests for one type of directory object.
const CONSISTENCY_LEVEL: HeaderName = HeaderName::from_static("consistencylevel");

/// Those of `graph.wanted` that the user of `access_token` is in.
///
/// # Errors
///
/// [`Error::GroupsUnreachable`], [`Error::GroupsRefused`], [`Error::GroupsInvalid`]. It is never less groups than there are.
pub(crate) async fn groups(
    caller: &Caller,
    graph: &Graph,
    access_token: &Secret<String>,
) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    let mut url = graph.endpoint.clone();
    for _ in 0..PAGES_MAX {
        let page = page(caller, &url, access_token).await?;
        found.extend(page.groups.into_iter().filter(|group| graph.wanted.contains(group)));
        match page.next {
            Some(next) if found.len() < graph.wanted.len() => url = next_page(&next, &graph.endpoint)?,
            _ => return Ok(found),
        }
    }
    Err(Error::GroupsInvalid(GroupsFault::TooMany))
}

/// Puts the groups into the claims, and what was asked for: of other groups nothing is known.
pub(crate) fn put(mut claims: Claims, groups: BTreeSet<String>, graph: &Graph) -> Claims {
    claims.retain(|name, _| !matches!(name.as_str(), "hasgroups" | "_claim_names" | "_claim_sources"));
    claims.insert("groups".to_owned(), groups.into_iter().collect());
    claims.insert(GROUPS_ASKED.to_owned(), graph.wanted.iter().cloned().collect());
    claims
}

struct Page {
    groups: Vec<String>,
    pub next: Option<String>,
}

async fn page(caller: &Caller, url: &Url, access_token: &Secret<String>) -> Result<Page, Error> {
    let request = Request::get(url.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", access_token.expose()))
        .header(CONSISTENCY_LEVEL, "eventual")
        .body(Bytes::new())
        .map_err(|_| Error::GroupsInvalid(GroupsFault::Request))?;
    let response = caller.call(Endpoint::Groups, request).await.map_err(Error::GroupsUnreachable)?;
    if response.status() != StatusCode::OK {
        return Err(Error::GroupsRefused { status: response.status() });
    }
    read(response.body()).map_err(|error| Error::GroupsInvalid(GroupsFault::Content(error)))
}

fn read(body: &[u8]) -> Result<Page, Unreadable> {
    let document = Document::read(body)?;
    let next = document.text("@odata.nextLink")?;
    let id = |group: &Value| group.get("id")?.as_str().map(str::to_owned);
    let groups = document.0.get("value").and_then(Value::as_array);
    let groups = groups.and_then(|groups| groups.iter().map(id).collect::<Option<Vec<_>>>());
    let groups = groups.ok_or(Unreadable::Type { name: "value", wanted: "a list of objects with an `id`" })?;
    Ok(Page { groups, next })
}

/// The address of another page. It gets the access token, so it has the origin of the address in the configuration.
fn next_page(next: &str, endpoint: &Url) -> Result<Url, Error> {
    let url = Url::parse(next).ok().filter(|url| url.origin() == endpoint.origin());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| {
        let plain = next.split(['?', '#']).next().unwrap_or_default();
        Error::GroupsInvalid(GroupsFault::Elsewhere(quoted(plain)))
    })
}

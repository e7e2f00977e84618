//! The application that a token is for, as it describes itself (RFC 9728).

use url::Url;

use crate::backchannel::call;
use crate::oidc::document::Document;
use crate::token_client::address;
use crate::token_client::calls::Calls;
use crate::token_client::challenge;
use crate::token_client::error::{Error, VALUE_MAX};
use crate::token_client::printable::printable;

/// RFC 9728 §3.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Its address, as tokens name it (RFC 8707 §2). Without a slash at its end for a whole host.
    pub(super) identifier: String,
    /// Who issues tokens for it.
    pub(super) issuers: Vec<String>,
    /// What to ask for.
    pub(super) scopes: Vec<String>,
    /// The client to sign in with, if a rule of Vestibule says it.
    pub(super) client_id: Option<String>,
}

/// Finds out which application is at an address, and who issues tokens for it.
pub(super) async fn find(calls: &Calls, asked: &Url) -> Result<Resource, Error> {
    match named_by(calls, asked).await? {
        Some(metadata) => match calls.document(&metadata).await? {
            Some(document) => read(&document, &metadata, asked),
            None => Err(Error::NoMetadata(asked.as_str().into())),
        },
        None => guess(calls, asked).await,
    }
}

/// The address of the metadata that the application names when it refuses a request without a token.
async fn named_by(calls: &Calls, asked: &Url) -> Result<Option<Url>, Error> {
    let answer = match calls.get(asked).await {
        Ok(answer) => answer,
        // It answers without a token, with more than is read.
        Err(Error::Call(_, call::Error::TooLarge(_) | call::Error::Broken(_))) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(named) = challenge::bearer(answer.headers()).and_then(|challenge| challenge.resource_metadata) else {
        return Ok(None);
    };
    let refused = |why| Error::address(asked.as_str(), "the metadata", &named, why);
    let metadata = address::read(&named, calls.place).map_err(refused)?;
    if metadata.origin() == asked.origin() { Ok(Some(metadata)) } else { Err(refused("is on another server")) }
}

/// Looks where the metadata of the address itself would be, and that of its host (RFC 9728 §3.1).
async fn guess(calls: &Calls, asked: &Url) -> Result<Resource, Error> {
    let at = |path: &str| {
        let mut url = asked.clone();
        url.set_query(None);
        url.set_path(&format!("{WELL_KNOWN}{path}"));
        url
    };
    let own = Some(asked.path().trim_end_matches('/')).filter(|path| !path.is_empty());
    for metadata in own.map(at).into_iter().chain([at("")]) {
        if let Some(document) = calls.document(&metadata).await? {
            return read(&document, &metadata, asked);
        }
    }
    Err(Error::NoMetadata(asked.as_str().into()))
}

fn read(document: &Document, metadata: &Url, asked: &Url) -> Result<Resource, Error> {
    let unreadable = |fault| Error::Answer(metadata.as_str().into(), fault);
    let resource = document.required_text("resource").map_err(unreadable)?;
    let other =
        || Error::OtherResource { metadata: metadata.as_str().into(), resource: printable(&resource, VALUE_MAX) };
    let described = described_by(metadata).ok_or_else(other)?;
    let identifier = identifier(&resource, &described).ok_or_else(other)?;
    if !covers(&described, asked) {
        return Err(other());
    }
    let issuers = document.texts("authorization_servers").unwrap_or_default();
    if issuers.is_empty() {
        return Err(Error::NoIssuer(metadata.as_str().into()));
    }
    let scopes = document.texts("scopes_supported").unwrap_or_default();
    let client_id = document.text("vestibule_client_id").map_err(unreadable)?;
    Ok(Resource { identifier, issuers, scopes, client_id })
}

/// The application whose metadata is at an address: the address without the well-known path in it (RFC 9728 §3.1).
fn described_by(metadata: &Url) -> Option<Url> {
    let path = metadata.path().strip_prefix(WELL_KNOWN).filter(|path| path.is_empty() || path.starts_with('/'))?;
    let mut url = metadata.clone();
    url.set_path(path);
    url.query().is_none().then_some(url)
}

/// The `resource` of metadata, if it is the address of what the metadata describes (RFC 9728 §3.3).
fn identifier(resource: &str, described: &Url) -> Option<String> {
    let is_it =
        resource == described.as_str() || (described.path() == "/" && format!("{resource}/") == described.as_str());
    is_it.then(|| resource.to_owned())
}

/// Whether an address is one of an application: of the same origin, and at its path or below.
pub fn covers(resource: &Url, asked: &Url) -> bool {
    let path = resource.path().trim_end_matches('/');
    let below = asked.path().strip_prefix(path);
    resource.origin() == asked.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn metadata_describes_the_address_without_the_well_known_path() {
        for (metadata, described) in [
            ("https://a.test/.well-known/oauth-protected-resource", "https://a.test/"),
            ("https://a.test:8443/.well-known/oauth-protected-resource/mcp/v1", "https://a.test:8443/mcp/v1"),
        ] {
            assert_eq!(described_by(&url(metadata)), Some(url(described)));
        }
        for other in [
            "https://a.test/",
            "https://a.test/x/.well-known/oauth-protected-resource",
            "https://a.test/.well-known/oauth-protected-resources",
            "https://a.test/.well-known/oauth-protected-resource?x",
        ] {
            assert_eq!(described_by(&url(other)), None, "{other}");
        }
    }

    #[test]
    fn an_application_covers_what_is_below_its_path() {
        for (resource, asked, expected) in [
            ("https://a.test", "https://a.test/x?y", true),
            ("https://a.test/", "https://a.test", true),
            ("https://a.test/mcp", "https://a.test/mcp", true),
            ("https://a.test/mcp", "https://a.test/mcp/x", true),
            ("https://a.test/mcp/", "https://a.test/mcp", true),
            ("https://a.test/mcp", "https://a.test/mcpx", false),
            ("https://a.test/mcp", "https://a.test/", false),
            ("https://a.test", "https://b.test/", false),
            ("https://a.test", "http://a.test/", false),
            ("https://a.test", "https://a.test:8443/", false),
        ] {
            assert_eq!(covers(&url(resource), &url(asked)), expected, "{resource} {asked}");
        }
    }
}

//! The issuer of tokens, as it describes itself (RFC 8414, OpenID Connect Discovery).

use url::{Origin, Url};

use crate::oidc::document::Document;
use crate::token_client::address;
use crate::token_client::calls::Calls;
use crate::token_client::error::Error;

/// An issuer.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) issuer: String,
    /// Where the pages are that users sign in on. `None`: anywhere, because the user has named the issuer.
    pub(super) pages: Option<Origin>,
    pub(super) token: Url,
    pub(super) authorization: Option<Url>,
    /// RFC 8628.
    pub(super) device: Option<Url>,
    /// RFC 7591.
    pub(super) registration: Option<Url>,
    /// RFC 7009.
    pub(super) revocation: Option<Url>,
    /// Whether each answer that a browser brings says the issuer (RFC 9207 §3).
    pub(super) says_issuer: bool,
    /// Whether it may know PKCE with S256.
    pub(super) has_s256: bool,
    scopes: Vec<String>,
}

impl Server {
    /// Whether it says that it has a scope.
    pub(super) fn has_scope(&self, wanted: &str) -> bool {
        self.scopes.iter().any(|scope| scope == wanted)
    }

    /// Refuses to send a browser to an issuer that does not name itself in its answers (RFC 9207), unless the user has named the issuer.
    ///
    /// Its page may send the browser on to another issuer, where the user is known. What that one gives would then be sent to this one, which the
    /// application has chosen, and which would get a token of the user with it (mix-up, RFC 9700 §4.4; attacks B-22). Where the page itself is
    /// proves nothing: it can redirect.
    pub(super) fn check_answers(&self) -> Result<(), Error> {
        if self.says_issuer || self.pages.is_none() { Ok(()) } else { Err(Error::Nameless(self.issuer.clone())) }
    }

    /// Refuses a page for codes of a device that is on another server: it may be that of another issuer, as in [`check_answers`](Self::check_answers).
    /// The user reads the address of the page before typing the code.
    pub(super) fn check_page(&self, page: &Url) -> Result<(), Error> {
        match &self.pages {
            Some(own) if *own != page.origin() => {
                let page = page.origin().ascii_serialization();
                Err(Error::OtherServer { issuer: self.issuer.clone(), page })
            }
            _ => Ok(()),
        }
    }
}

/// Reads the metadata of an issuer. It counts only if it says the same issuer (RFC 8414 §3.3, attacks O-01).
pub(super) async fn find(calls: &Calls, issuer: &str) -> Result<Server, Error> {
    let refused = |why| Error::address("the application", "the issuer", issuer, why);
    let base = address::read(issuer, calls.place).map_err(refused)?;
    if base.query().is_some() {
        return Err(refused("has a query"));
    }
    for location in locations(&base) {
        if let Some(document) = calls.document(&location).await?
            && document.text("issuer").is_ok_and(|said| said.as_deref() == Some(issuer))
        {
            return read(&document, (issuer, &base), &location, calls);
        }
    }
    Err(Error::NoServer(base.to_string()))
}

/// RFC 8414 §3.1 puts the well-known path before the path of the issuer, OpenID Connect Discovery §4 behind it.
fn locations(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

fn read(document: &Document, (issuer, base): (&str, &Url), location: &Url, calls: &Calls) -> Result<Server, Error> {
    let unreadable = |fault| Error::Answer(location.as_str().into(), fault);
    let endpoint = |name: &'static str| {
        let Some(text) = document.text(name).map_err(unreadable)? else { return Ok(None) };
        let read = address::read(&text, calls.place);
        read.map(Some).map_err(|why| Error::address(location.as_str(), name, &text, why))
    };
    Ok(Server {
        issuer: issuer.to_owned(),
        pages: Some(base.origin()),
        token: endpoint("token_endpoint")?
            .ok_or_else(|| Error::Lacks(location.to_string(), "has no token endpoint"))?,
        authorization: endpoint("authorization_endpoint")?,
        device: endpoint("device_authorization_endpoint")?,
        registration: endpoint("registration_endpoint")?,
        revocation: endpoint("revocation_endpoint")?,
        says_issuer: document.is_true("authorization_response_iss_parameter_supported"),
        has_s256: document
            .texts("code_challenge_methods_supported")
            .is_none_or(|methods| methods.iter().any(|method| method == "S256")),
        scopes: document.texts("scopes_supported").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_both_standards_have_it() {
        let at = |issuer: &str| locations(&Url::parse(issuer).expect("a URL")).map(String::from);
        let plain = [
            "https://a.test/.well-known/openid-configuration",
            "https://a.test/.well-known/oauth-authorization-server",
        ];
        assert_eq!(at("https://a.test"), plain);
        assert_eq!(at("https://a.test/"), plain);
        assert_eq!(
            at("https://a.test/t/1/"),
            [
                "https://a.test/t/1/.well-known/openid-configuration",
                "https://a.test/.well-known/oauth-authorization-server/t/1"
            ]
        );
    }
}

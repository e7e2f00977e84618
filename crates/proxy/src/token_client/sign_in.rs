//! One sign-in, from the address of an application to a token for it.

use std::time::Duration;

use tokio::time;
use url::Url;

use crate::token_client::authorization::{Asked, Attempt};
use crate::token_client::calls::Calls;
use crate::token_client::device;
use crate::token_client::error::{Error, VALUE_MAX};
use crate::token_client::loopback::{Loopback, Redirect};
use crate::token_client::printable::printable;
use crate::token_client::registration;
use crate::token_client::resource::{self, Resource};
use crate::token_client::screen::Screen;
use crate::token_client::server::{self, Server};
use crate::token_client::token::Token;

pub use crate::token_client::resource::covers;

/// How the user signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// The device flow where the issuer has it, otherwise a browser on this machine.
    #[default]
    Either,
    Browser,
    Device,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub client_id: Option<String>,
    /// Which of the issuers that the application names. `None`: the first. One that the user names may have its pages on another server.
    pub issuer: Option<String>,
    /// `None`: what the application suggests.
    pub scope: Option<String>,
    /// Whether a refresh token is of use.
    pub is_kept: bool,
    /// Whether the issuer is told which application the token is for (RFC 8707).
    pub names_resource: bool,
    pub redirect: Redirect,
    pub flow: Flow,
    /// How long the user may take.
    pub patience: Duration,
}

/// A token, and what it is for.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The address of the application, as it names itself.
    pub resource: String,
    pub issuer: String,
    pub client_id: String,
    pub token: Token,
}

/// Has the user sign in, and gets a token for the application at `asked`.
pub async fn sign_in(calls: &Calls, asked: &Url, wish: &Wish, screen: &dyn Screen) -> Result<SignedIn, Error> {
    let resource = resource::find(calls, asked).await?;
    let mut server = server::find(calls, issuer(&resource, wish)?).await?;
    if wish.issuer.is_some() {
        server.pages = None;
    }
    let scope = wish.scope.clone().or_else(|| scope(&resource, &server, wish));
    let known = wish.client_id.as_ref().or(resource.client_id.as_ref());
    let want = Want { calls, server: &server, resource: &resource, wish, screen, scope: scope.as_deref(), known };
    let device = server.device.as_ref().filter(|_| wish.flow != Flow::Browser);
    let (client_id, token) = match (device, wish.flow) {
        (Some(endpoint), flow) => match want.by_device(endpoint).await {
            // The issuer has it, but not for this client.
            Err(error) if flow == Flow::Either && is_for_others(&error) => want.by_browser().await?,
            other => other?,
        },
        (None, Flow::Device) => return Err(Error::Lacks(server.issuer.clone(), "has no device flow (RFC 8628)")),
        (None, _) => want.by_browser().await?,
    };
    let Resource { identifier, .. } = resource;
    Ok(SignedIn { resource: identifier, issuer: server.issuer, client_id, token })
}

fn is_for_others(error: &Error) -> bool {
    ["unauthorized_client", "unsupported_grant_type", "invalid_client_metadata"]
        .iter()
        .any(|code| error.is_refusal(code))
}

fn issuer<'r>(resource: &'r Resource, wish: &'r Wish) -> Result<&'r str, Error> {
    match &wish.issuer {
        None => Ok(resource.issuers.first().map_or("", |first| first)),
        Some(wanted) if resource.issuers.contains(wanted) => Ok(wanted),
        Some(wanted) => Err(Error::OtherIssuer {
            wanted: printable(wanted, VALUE_MAX),
            resource: resource.identifier.as_str().into(),
            named: printable(&resource.issuers.join(", "), VALUE_MAX),
        }),
    }
}

/// What the application suggests. OpenID providers want `openid` in each request, and some give refresh tokens for `offline_access` only.
fn scope(resource: &Resource, server: &Server, wish: &Wish) -> Option<String> {
    let mut scopes: Vec<&str> = resource.scopes.iter().map(String::as_str).collect();
    let wanted = [("openid", scopes.is_empty()), ("offline_access", wish.is_kept)];
    for (scope, is_wanted) in wanted {
        if is_wanted && server.has_scope(scope) && !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

struct Want<'w> {
    calls: &'w Calls,
    server: &'w Server,
    resource: &'w Resource,
    wish: &'w Wish,
    screen: &'w dyn Screen,
    scope: Option<&'w str>,
    /// The client to sign in with, if there is one.
    known: Option<&'w String>,
}

impl Want<'_> {
    fn asked<'a>(&'a self, client_id: &'a str) -> Asked<'a> {
        let resource = Some(self.resource.identifier.as_str()).filter(|_| self.wish.names_resource);
        Asked { client_id, scope: self.scope, resource }
    }

    /// The client to sign in with, which may have to be registered.
    async fn client(&self, redirect_uri: Option<&str>) -> Result<String, Error> {
        let client_id = match (self.known, &self.server.registration) {
            (Some(known), _) => known.clone(),
            (None, Some(endpoint)) => registration::register(self.calls, endpoint, redirect_uri).await?,
            (None, None) => return Err(Error::NoClient(self.server.issuer.clone())),
        };
        let shown = printable(&client_id, VALUE_MAX);
        // Whole: what is behind the end of a long list is granted, too.
        let scope = self.scope.map(|scope| printable(scope, usize::MAX));
        self.screen.begin(&self.server.issuer, &self.resource.identifier, &shown, scope.as_deref());
        Ok(client_id)
    }

    async fn by_device(&self, endpoint: &Url) -> Result<(String, Token), Error> {
        let client_id = self.client(None).await?;
        let asked = self.asked(&client_id);
        let token =
            device::sign_in(self.calls, (self.server, endpoint), &asked, self.wish.patience, self.screen).await?;
        Ok((client_id, token))
    }

    async fn by_browser(&self) -> Result<(String, Token), Error> {
        let lacks = |what| Error::Lacks(self.server.issuer.clone(), what);
        let endpoint = self.server.authorization.as_ref().ok_or_else(|| lacks("has no authorization endpoint"))?;
        if !self.server.has_s256 {
            return Err(lacks("does not know PKCE with S256 (RFC 7636), without which the code could be stolen"));
        }
        self.server.check_answers()?;
        let loopback = Loopback::bind(&self.wish.redirect).await?;
        let redirect_uri = loopback.uri().to_owned();
        let client_id = self.client(Some(&redirect_uri)).await?;
        let issuer = (self.server.issuer.as_str(), self.server.says_issuer);
        let attempt = Attempt::new(endpoint, issuer, &self.asked(&client_id), &redirect_uri);
        self.screen.show_address(&attempt.address);
        let waited = time::timeout(self.wish.patience, loopback.wait(&attempt)).await;
        let code = waited.map_err(|_| Error::TimedOut)??;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &redirect_uri),
            ("client_id", &client_id),
            ("code_verifier", attempt.verifier.expose()),
        ];
        fields.extend(self.asked(&client_id).resource.map(|resource| ("resource", resource)));
        let document = self.calls.post_form(&self.server.token, &fields).await?;
        let token = Token::read(&document, &self.server.token)?;
        Ok((client_id, token))
    }
}

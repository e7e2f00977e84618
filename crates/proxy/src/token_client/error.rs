//! Why no token could be had. The texts are for the user, and show nothing of a server that a terminal would obey.

use url::Url;

use crate::backchannel::call;
use crate::oidc::document::{Document, Unreadable};
use crate::token_client::printable::printable;

/// Most characters of a description of a server that are shown.
const DESCRIPTION_MAX: usize = 300;
/// Most characters of an error code or another short value of a server that are shown.
pub(super) const VALUE_MAX: usize = 200;

/// Why no token could be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("{0} cannot be asked")]
    Call(Box<str>, #[source] call::Error),
    /// An answer that is none of the protocol.
    #[error("{0} answered with the status {1}")]
    Status(Box<str>, u16),
    /// The same, of a document that can be read.
    #[error("the answer of {0} cannot be used")]
    Answer(Box<str>, #[source] Unreadable),
    /// An error of OAuth (RFC 6749 §5.2, §4.1.2.1; RFC 8628 §3.5).
    #[error("{}", refusal(.who, .code, .description.as_deref()))]
    Refused { who: Box<str>, code: String, description: Option<String> },
    /// An address that is not called.
    #[error("{what} of {who} is not used: `{address}` {why}")]
    Address { who: Box<str>, what: &'static str, address: String, why: &'static str },
    /// The application does not say who issues tokens for it.
    #[error(
        "{0} does not say who issues tokens for it (RFC 9728). A rule of Vestibule does that takes tokens: `jwt-validation` or `session-or-bearer`. If rules with several issuers are for one host, each needs a `resource_path`"
    )]
    NoMetadata(Box<str>),
    /// The metadata is that of another application (RFC 9728 §3.3).
    #[error(
        "{metadata} is the metadata of `{resource}`, which is not the address that a token was asked for; the `resource_path` of the rule must be the beginning of its path"
    )]
    OtherResource { metadata: Box<str>, resource: String },
    /// The metadata names nobody.
    #[error("the metadata at {0} name no issuer of tokens (`authorization_servers`); tell the operator")]
    NoIssuer(Box<str>),
    /// `--issuer` is none of them.
    #[error("`{wanted}` does not issue tokens for {resource}. It names: {named}")]
    OtherIssuer { wanted: String, resource: Box<str>, named: String },
    /// The issuer has no metadata that is its own (RFC 8414 §3.3).
    #[error("the issuer {0} has no metadata that says the same issuer, neither by OpenID Connect nor by RFC 8414")]
    NoServer(String),
    /// The issuer does not name itself in its answers, and the user has not named it (RFC 9700 §4.4).
    #[error(
        "the issuer {0} does not name itself in its answers (RFC 9207), so it could send you on to another issuer and get a token for what you may do there. If you trust this issuer, name it with --issuer {0}"
    )]
    Nameless(String),
    /// The issuer has users sign in on another server, and the user has not named it: it may be that of another issuer (RFC 9700 §4.4).
    #[error(
        "the issuer {issuer} has you sign in at {page}, which is another server. A hostile application could get a token for what you may do there. If you know that this issuer signs its users in there, name it with --issuer"
    )]
    OtherServer { issuer: String, page: String },
    /// The issuer does not offer what is needed.
    #[error("the issuer {0} {1}")]
    Lacks(String, &'static str),
    /// There is no client to sign in with.
    #[error(
        "which client of {0} to sign in with is not known: use --client-id, or have the operator set `public_client_id` of the rule"
    )]
    NoClient(String),
    /// The address for the browser to come back to cannot be listened on.
    #[error(
        "cannot listen on {0}, where the browser comes back to; --redirect-uri names another address that is registered"
    )]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// The answer that the browser brought is not of this issuer (RFC 9207 §2.4).
    #[error("the browser came back with an answer of another issuer, or of none. Nothing of it was used")]
    CallbackIssuer,
    /// The answer that the browser brought cannot be read.
    #[error("the browser came back with an answer that is not complete; begin again")]
    Callback,
    /// The user did not sign in in time.
    #[error("nobody has signed in in time; --timeout says how long to wait")]
    TimedOut,
    /// The token cannot be sent in `Authorization: Bearer`.
    #[error("the issuer {0} gave a token that cannot be sent as a bearer token")]
    NoBearer(Box<str>),
}

impl Error {
    /// A refusal of `who`, in its own words.
    pub(super) fn refused(who: &str, code: &str, description: Option<&str>) -> Self {
        let description = description.map(|text| printable(text, DESCRIPTION_MAX)).filter(|text| !text.is_empty());
        Self::Refused { who: who.into(), code: printable(code, VALUE_MAX), description }
    }

    /// The refusal in an answer of an endpoint, or its status.
    pub(super) fn of_endpoint(url: &Url, status: u16, document: Option<&Document>) -> Self {
        let text = |name| document.and_then(|document| document.text(name).ok().flatten());
        match text("error") {
            Some(code) => Self::refused(url.as_str(), &code, text("error_description").as_deref()),
            None => Self::Status(url.as_str().into(), status),
        }
    }

    /// An address of `who` that is not used.
    pub(super) fn address(who: &str, what: &'static str, address: &str, why: &'static str) -> Self {
        Self::Address { who: who.into(), what, address: printable(address, VALUE_MAX), why }
    }

    /// Whether it is the refusal with this code.
    pub(crate) fn is_refusal(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

fn refusal(who: &str, code: &str, description: Option<&str>) -> String {
    let meaning = match code {
        "access_denied" => "the sign-in was refused there: ",
        "expired_token" => "the code has expired: ",
        "invalid_client" | "unauthorized_client" => "the client is not known or may not do this: ",
        "invalid_target" => "it issues no tokens for this application to this client: ",
        "login_required" | "interaction_required" => "nobody is signed in there: ",
        _ => "",
    };
    let description = description.map(|text| format!(" ({text})")).unwrap_or_default();
    format!("{who} gave no token: {meaning}{code}{description}")
}

//! What is known of a token that the provider was asked about.

use std::sync::Arc;

use http::StatusCode;

use crate::backchannel::call::Error as CallError;
use crate::clock::Timestamp;
use crate::flight::Flight;
use crate::identity::Claims;
use crate::oidc::document::Unreadable;
use crate::oidc::error::Error;

/// The answer of the provider about one token.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The token is active (RFC 7662 §2.2).
    Active(Arc<Active>),
    /// It is not, or the answer does not say `"active": true`.
    Inactive,
    /// The provider could not be asked, or its answer says nothing. The token is not accepted.
    Failed(Arc<IntrospectionError>),
}

/// What the provider says of a token that is active.
#[derive(Debug)]
pub struct Active {
    /// The members of the answer, without `active` and without those that are `null`. Not checked yet.
    pub(crate) claims: Claims,
    /// Until when this is used without another call: not after `exp`.
    pub fresh_until: Timestamp,
}

/// What a look at a token finds.
#[derive(Debug)]
pub enum Found {
    /// The provider said this a short time ago.
    Known(Outcome),
    /// The provider is being asked.
    UnderWay(Flight<Outcome>),
    /// The provider is being asked about so many tokens that this one has to wait for another request.
    Busy,
}

/// Why nothing is known of a token. Nothing of the token or of the answer is quoted.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectionError {
    /// The metadata is not available, and only it has the address of the endpoint.
    #[error("the address of the introspection endpoint is not known")]
    Metadata(#[source] Error),
    /// Neither the metadata nor the configuration has the address.
    #[error("the metadata of the provider has no `introspection_endpoint`: set it in the configuration")]
    NoEndpoint,
    /// The address has characters that HTTP does not allow.
    #[error("the address of the introspection endpoint cannot be used")]
    Address,
    /// There was no answer.
    #[error("the introspection endpoint did not answer")]
    Unreachable(#[source] CallError),
    /// Too many other tokens were to be asked about first.
    #[error("the provider was still being asked about other tokens when the time of this call was over")]
    Waited,
    /// The answer is an error. A token that is not active is no error (RFC 7662 §2.2).
    #[error("the introspection endpoint answered {status}{}", hint(*status))]
    Refused { status: StatusCode },
    /// The answer is no JSON object. It may be a signed one (RFC 9701), which is not supported.
    #[error("the answer of the introspection endpoint is not usable: {0}")]
    Content(Unreadable),
    /// The task that asked ended without a result.
    #[error("the call was abandoned")]
    Abandoned,
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
            ": check `client_id`, `client_secret` and `token_endpoint_auth_method`, and whether the provider lets this client introspect"
        }
        _ if status.is_redirection() => ": redirects are not followed; check `introspection_endpoint`",
        _ => "",
    }
}

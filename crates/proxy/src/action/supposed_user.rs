//! A user whom nobody has verified, for `check --request` and `test`.

use std::sync::Arc;

use crate::action::visitor::without_headers;
use crate::claims::ClaimsHeaders;
use crate::clock::Timestamp;
use crate::exchange::rejection::Rejection;
use crate::identity::Identity;
use crate::message::own_fields::OwnFields;

/// A supposed user, with what tells targets about one. This is no [`Visitor`](crate::action::visitor::Visitor): no request can pass with it.
#[derive(Debug)]
pub struct Supposed {
    pub identity: Identity,
    /// What makes the identity headers, and the client that they name. `None` if targets get none.
    pub(in crate::action) claims: Option<(Arc<ClaimsHeaders>, String)>,
}

impl Supposed {
    /// The identity headers for the target group `audience`, with the payload of the signed claims in place of the token.
    ///
    /// # Errors
    ///
    /// `Reason::Internal`, `Reason::AuthHeaderTooLarge`.
    pub fn headers(&self, audience: &Arc<str>, now: Timestamp) -> Result<OwnFields, Rejection> {
        let Some((headers, client)) = &self.claims else { return Ok(OwnFields::default()) };
        headers.show(&self.identity, client, audience, now).map_err(without_headers)
    }
}

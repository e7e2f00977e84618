//! Questions of another proxy about its requests: "may this request pass, and as whom?" (decision 80).
//!
//! nginx (`auth_request`), Traefik (`forwardAuth`), Caddy (`forward_auth`) and Envoy (`ext_authz`) each describe the request in their own
//! way. [`described`] and, for gRPC, [`check`] read every description into the same [`described::Described`], and refuses one that lacks something, says
//! something twice or contradicts itself. This room knows no rule and no session. Start at [`questions::Questions`].

pub mod check;
pub(crate) mod described;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod questions;
pub mod settings;

#[cfg(test)]
mod tests;

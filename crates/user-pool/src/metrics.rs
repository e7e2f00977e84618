//! The metrics of a user pool.

use std::sync::Arc;

use crate::telemetry::metrics::{Counter, Registry};

/// The pool's counters.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) signed_in: Counter,
    pub(crate) signed_in_by_sso: Counter,
    pub(crate) wrong_password: Counter,
    pub(crate) wrong_code: Counter,
    pub(crate) rate_limited: Counter,
    pub(crate) busy: Counter,
    pub(crate) disabled: Counter,
    pub(crate) form_refused: Counter,
    pub(crate) tokens_by_code: Counter,
    pub(crate) tokens_by_refresh: Counter,
    pub(crate) tokens_by_client: Counter,
    pub(crate) reuse_detected: Counter,
    pub(crate) grants_not_enough: Counter,
    pub(crate) logout_tokens_delivered: Counter,
    pub(crate) logout_tokens_failed: Counter,
}

impl Metrics {
    /// Registers the series of the pool of that name.
    pub(crate) fn new(pool: &Arc<str>, registry: &Registry) -> Self {
        let labels = |name, value: &str| vec![("pool", pool.to_string()), (name, value.to_owned())];
        let sign_ins = |outcome| {
            let help = "Attempts to sign in to the user pool, by how they ended.";
            registry.counter("vestibule_pool_sign_ins_total", help, labels("outcome", outcome))
        };
        let tokens = |grant| {
            let help = "Token responses of the user pool, by the grant that was presented.";
            registry.counter("vestibule_pool_tokens_issued_total", help, labels("grant", grant))
        };
        let logout_tokens = |outcome| {
            let help = "Logout tokens of the user pool, by whether the client took them.";
            registry.counter("vestibule_pool_logout_tokens_total", help, labels("outcome", outcome))
        };
        Self {
            logout_tokens_delivered: logout_tokens("delivered"),
            logout_tokens_failed: logout_tokens("failed"),
            signed_in: sign_ins("ok"),
            signed_in_by_sso: sign_ins("sso"),
            wrong_password: sign_ins("wrong_password"),
            wrong_code: sign_ins("wrong_code"),
            rate_limited: sign_ins("rate_limited"),
            busy: sign_ins("busy"),
            disabled: sign_ins("user_disabled"),
            form_refused: sign_ins("form_refused"),
            tokens_by_code: tokens("authorization_code"),
            tokens_by_refresh: tokens("refresh_token"),
            tokens_by_client: tokens("client_credentials"),
            grants_not_enough: registry.counter(
                "vestibule_pool_grants_not_enough_total",
                "Codes and refresh tokens that were refused because a sign-in asks for more now than was proved for them.",
                vec![("pool", pool.to_string())],
            ),
            reuse_detected: registry.counter(
                "vestibule_pool_reuse_detected_total",
                "Codes and refresh tokens that came a second time; what they had brought is revoked.",
                vec![("pool", pool.to_string())],
            ),
        }
    }
}

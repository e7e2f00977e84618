//! `response_headers` of a listener.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// Headers that are set in the responses of a listener, whatever the target has set. Vestibule's own responses get
/// them, too, with two exceptions: its pages keep their own, stricter `Content-Security-Policy`, `X-Frame-Options` and
/// `X-Content-Type-Options`, and the `access_control_*` headers are not set in responses of sign-in, sign-out and user pools.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResponseHeaders {
    /// `Strict-Transport-Security`. Example: `max-age=31536000; includeSubDomains`. Needs clients that use HTTPS.
    pub(crate) strict_transport_security: Option<String>,
    /// `Content-Security-Policy`. Example: `default-src 'self'`.
    pub(crate) content_security_policy: Option<String>,
    /// `X-Content-Type-Options`. The only value is `nosniff`.
    pub(crate) x_content_type_options: Option<String>,
    /// `X-Frame-Options`: `DENY` or `SAMEORIGIN`.
    pub(crate) x_frame_options: Option<String>,
    /// `Access-Control-Allow-Origin`: one origin, or `*`. The `access_control_*` headers are the same in every response; `cors` answers
    /// by origin and also answers preflights. One of the two can be used.
    pub(crate) access_control_allow_origin: Option<String>,
    /// `Access-Control-Allow-Methods`.
    pub(crate) access_control_allow_methods: List<String>,
    /// `Access-Control-Allow-Headers`.
    pub(crate) access_control_allow_headers: List<String>,
    /// `Access-Control-Allow-Credentials: true`. Not with `access_control_allow_origin: "*"`.
    pub(crate) access_control_allow_credentials: bool,
    /// `Access-Control-Expose-Headers`.
    pub(crate) access_control_expose_headers: List<String>,
    /// `Access-Control-Max-Age`, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) access_control_max_age: Option<u32>,
    /// Whether `Server` of a target is passed on. Vestibule itself sets none.
    pub(crate) server: bool,
}

impl Default for ResponseHeaders {
    fn default() -> Self {
        Self {
            strict_transport_security: None,
            content_security_policy: None,
            x_content_type_options: None,
            x_frame_options: None,
            access_control_allow_origin: None,
            access_control_allow_methods: List::default(),
            access_control_allow_headers: List::default(),
            access_control_allow_credentials: false,
            access_control_expose_headers: List::default(),
            access_control_max_age: None,
            server: true,
        }
    }
}

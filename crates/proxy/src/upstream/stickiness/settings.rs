//! Validated settings of stickiness.

use std::sync::Arc;
use std::time::Duration;

use crate::crypto::sealed::Sealer;

/// How a target group keeps the requests of one browser at one target.
#[derive(Clone, Debug)]
pub struct Settings {
    pub kind: Kind,
    /// How long a cookie binds a browser, counted from the answer that set it (ALB §9.4).
    pub duration: Duration,
    pub format: Format,
    /// The keys of sessions. The first encrypts; every key can decrypt.
    pub sealer: Sealer,
}

/// When a cookie is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With every answer of a target.
    LbCookie,
    /// With an answer that sets a cookie of this name.
    AppCookie(Arc<str>),
}

/// The names and attributes of the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Vestibule,
    /// Those of the AWS load balancer.
    Alb,
}

impl Settings {
    /// ALB §9.4.
    pub const DURATION: Duration = Duration::from_secs(86_400);
}

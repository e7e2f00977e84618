//! oidc

pub(crate) mod settings;

//! action

pub(crate) mod authenticate;
pub(crate) mod settings;

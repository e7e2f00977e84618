//! claims

pub(crate) mod settings;

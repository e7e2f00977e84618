//! admin

pub(crate) mod settings;

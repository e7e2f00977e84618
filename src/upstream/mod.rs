//! upstream

pub(crate) mod settings;

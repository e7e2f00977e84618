//! listener

pub(crate) mod certificate;
pub(crate) mod settings;

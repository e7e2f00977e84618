//! session

pub(crate) mod settings;

//! action

pub(crate) mod settings;

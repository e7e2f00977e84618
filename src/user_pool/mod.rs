//! user_pool

pub(crate) mod settings;

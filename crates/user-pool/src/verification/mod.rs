//! Proves that somebody reads what is sent to an address. Start at [`code::Codes`].

pub(crate) mod code;

//! Every page: a struct with what it shows, and a template in `templates/`.

pub(crate) mod account;
pub(crate) mod demo;
pub(crate) mod notice;
pub(crate) mod redirecting;
pub(crate) mod refused;
pub(crate) mod sign_in;
pub(crate) mod sign_out;

#[cfg(test)]
mod tests;

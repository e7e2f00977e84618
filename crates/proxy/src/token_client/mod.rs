//! Gets access tokens for programs of the command line, for `vestibule login`: finds out who issues tokens for an application, and has the user
//! sign in there.
//!
//! Does not know the command line, files or terminals: a [`Screen`](screen::Screen) shows what the user has to do. What a server says is taken
//! for its own origin only, and no token is sent to anybody but the issuer that it came from. An issuer names itself in
//! each answer of a browser, or the user has named it. Start at [`sign_in::sign_in`].

pub mod address;
mod authorization;
pub mod calls;
mod challenge;
mod device;
pub mod error;
pub mod loopback;
mod printable;
mod registration;
mod resource;
pub mod screen;
mod server;
pub mod sign_in;
pub mod token;

#[cfg(test)]
mod tests;

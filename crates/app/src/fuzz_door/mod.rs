//! A door for `fuzz/`: for each reader of what strangers send, a function that takes any bytes and panics where something does not hold.
//!
//! Compiled for tests and for fuzzing only (`--cfg fuzzing`): no build of the product has it. `cargo test` calls each function with the
//! inputs of `fuzz/corpus`, so each finding that is kept there stays fixed. Targets that reach into a room are in a file `fuzz.rs` there.

mod configuration;
mod cookies;
mod forwarded;
mod path;
mod query;

pub use configuration::configuration;
pub use cookies::cookies;
pub use forwarded::forwarded;
pub use path::canonical_path;
pub use query::callback_query;

/// A fuzz target: takes any bytes, panics at a finding.
pub type Target = fn(&[u8]);

/// Every target by its name: the name of its file in `fuzz/fuzz_targets/` and of its directory in `fuzz/corpus/`.
pub const TARGETS: [(&str, Target); 16] = [
    ("answer", answer),
    ("apache", apache),
    ("callback_query", callback_query),
    ("canonical_path", canonical_path),
    ("chunked", chunked),
    ("configuration", configuration),
    ("cookies", cookies),
    ("distinguished_name", distinguished_name),
    ("forward_auth", forward_auth),
    ("forwarded", forwarded),
    ("introspection", introspection),
    ("jws", jws),
    ("password_hash", password_hash),
    ("proxy_header", proxy_header),
    ("requests", requests),
    ("sealed", sealed),
];

/// An answer of a target: read in pieces, and by hyper.
pub fn answer(input: &[u8]) {
    crate::upstream::fuzz::answer(input);
}

/// An Apache configuration, as `vestibule import` reads it.
pub fn apache(input: &[u8]) {
    crate::import::fuzz::apache(input);
}

/// A chunked body: read in pieces, and by a reader that is as simple as can be.
pub fn chunked(input: &[u8]) {
    crate::upstream::fuzz::chunked(input);
}

/// A name of a client's certificate.
pub fn distinguished_name(input: &[u8]) {
    crate::certificate::client::fuzz::distinguished_name(input);
}

/// How another proxy describes a request.
pub fn forward_auth(input: &[u8]) {
    crate::forward_auth::fuzz::question(input);
}

/// What a provider answers when it is asked about a token.
pub fn introspection(input: &[u8]) {
    crate::oidc::introspection::fuzz::introspection(input);
}

/// A compact JWS, and JSON.
pub fn jws(input: &[u8]) {
    crate::jose::fuzz::jws(input);
}

/// A password hash that another system has made.
pub fn password_hash(input: &[u8]) {
    crate::user_pool::credential::fuzz::password_hash(input);
}

/// The header of the PROXY protocol.
pub fn proxy_header(input: &[u8]) {
    crate::listener::fuzz::proxy_header(input);
}

/// What a client sends on one connection: through the screen, and by hyper alone.
pub fn requests(input: &[u8]) {
    crate::listener::fuzz::requests(input);
}

/// What is under the seal of a session's cookie, and cookies that we did not seal.
pub fn sealed(input: &[u8]) {
    crate::session::fuzz::sealed(input);
}

#[cfg(test)]
mod tests;

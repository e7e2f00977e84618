//! What strangers send, and that it does nothing. Each test is named after the attack that it makes.

/// C: the answer that a browser brings back from a provider.
mod callback;
/// J: ID tokens that lie.
mod id_token;
/// S: session cookies that were tampered with, taken elsewhere, or kept too long.
mod session_cookie;

//! Vestibule: an authenticating HTTPS reverse proxy, with the OpenID provider behind it, in one binary.
//!
//! All code is in `crates/`; `docs/ARCHITECTURE.md` says what is where. This crate is the program, with what its tests and benches need of
//! the crates below: compiled for speed, as the program as a whole then is (docs/decisions/0107).

#[doc(hidden)]
pub use vestibule_app::bench_door;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use vestibule_app::fuzz_door;
pub use vestibule_app::{app, cli, clock, config};

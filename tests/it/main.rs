//! The integration tests: each file is one capability, seen from outside.

mod repository;
mod room_graph;

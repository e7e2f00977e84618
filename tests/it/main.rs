//! The integration tests: each file is one capability, seen from outside.

mod room_graph;

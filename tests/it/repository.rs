//! What two files say about the same thing is the same.

use std::fs;

#[test]
fn the_container_is_built_by_the_toolchain_of_the_repository() {
    let toolchain = between(&read("rust-toolchain.toml"), "channel = \"", "\"");
    let image = between(&read("Dockerfile"), "FROM rust:", "-");
    assert_eq!(image, toolchain, "Dockerfile and rust-toolchain.toml");

    let promised = between(&read("Cargo.toml"), "rust-version = \"", "\"");
    assert!(toolchain.starts_with(&promised), "Cargo.toml promises {promised}, and {toolchain} is what tests it");
}

fn read(name: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split(after).next().expect("split gives at least one").to_owned()
}

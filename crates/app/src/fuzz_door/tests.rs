//! Replays the corpus, and holds the list of targets to the files of `fuzz/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(path)
}

fn names_in(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz(directory)).expect("a directory of fuzz/");
    let name = |entry: fs::DirEntry| entry.path().file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(|entry| name(entry.expect("an entry"))).collect()
}

/// The inputs of a target, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(fuzz("corpus").join(target)).expect("a corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a file"));
    files.into_iter().map(read).collect()
}

/// Calls a target, and says with what where it panics.
fn call(target: Target, path: &Path, input: &[u8]) {
    /// Says so when it is dropped by a panic.
    struct With<'a>(&'a Path, &'a [u8]);
    impl Drop for With<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the input is {}, or a change of it: {}", self.0.display(), self.1.escape_ascii());
            }
        }
    }
    let _with = With(path, input);
    target(input);
}

/// Each input as it is, cut off at each place, and with one bit changed at each place.
fn replay(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(given, _)| *given == name).expect("a target");
    let inputs = corpus(name);
    assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
    // Every place of a small input, some of a large one: this is a test that runs each time.
    let step = |length: usize| length.div_ceil(if name == "configuration" { 12 } else { 100 }).max(1);
    for (path, input) in &inputs {
        call(target, path, input);
        for place in (0..input.len()).step_by(step(input.len())) {
            call(target, path, &input[..place]);
            let mut changed = input.clone();
            changed[place] ^= 1 << (place % 8);
            call(target, path, &changed);
        }
    }
}

#[test]
fn answer_holds() {
    replay("answer");
}

#[test]
fn apache_holds() {
    replay("apache");
}

#[test]
fn callback_query_holds() {
    replay("callback_query");
}

#[test]
fn canonical_path_holds() {
    replay("canonical_path");
}

#[test]
fn chunked_holds() {
    replay("chunked");
}

#[test]
fn configuration_holds() {
    replay("configuration");
}

#[test]
fn cookies_holds() {
    replay("cookies");
}

#[test]
fn distinguished_name_holds() {
    replay("distinguished_name");
}

#[test]
fn forward_auth_holds() {
    replay("forward_auth");
}

#[test]
fn forwarded_holds() {
    replay("forwarded");
}

#[test]
fn introspection_holds() {
    replay("introspection");
}

#[test]
fn jws_holds() {
    replay("jws");
}

#[test]
fn password_hash_holds() {
    replay("password_hash");
}

#[test]
fn proxy_header_holds() {
    replay("proxy_header");
}

#[test]
fn requests_holds() {
    replay("requests");
}

#[test]
fn sealed_holds() {
    replay("sealed");
}

#[test]
fn every_target_has_its_files_and_its_test() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("fuzz_targets"), names, "left: fuzz/fuzz_targets; right: the list");
    assert_eq!(names_in("corpus"), names, "left: fuzz/corpus; right: the list");
    let manifest = fs::read_to_string(fuzz("Cargo.toml")).expect("a manifest");
    let tests = include_str!("tests.rs");
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in fuzz/Cargo.toml");
        let file = fs::read_to_string(fuzz(&format!("fuzz_targets/{name}.rs"))).expect("a target");
        assert!(file.contains(&format!("fuzz_door::{name}")), "fuzz/fuzz_targets/{name}.rs calls something else");
        assert!(tests.contains(&format!("replay(\"{name}\")")), "the corpus of {name} is not replayed");
    }
}

//! One test for each kind of mistake: what the operator reads.

mod acme;
mod actions;
mod alb;
mod authorize;
mod bearer;
mod choices;
mod client_certificates;
mod everything_else;
mod forward_auth;
mod forwards;
mod health_check;
mod keys;
mod listeners;
mod messages;
mod names;
mod pages;
mod password_policy;
mod pool_clients;
mod pool_looks;
mod pool_users;
mod providers;
mod rules;
mod second_factors;
mod shape;
mod shared_sessions;
mod static_files;
mod stickiness;
mod target_groups;
mod tls;
mod traces;
mod user_pools;
mod yaml;

use super::{SOUND, files, load_in};

/// What is said of the sound file after these replacements, each of which must find its place.
#[track_caller]
fn report(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = SOUND.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "no place for {from:?}");
        text = text.replacen(from, to, 1);
    }
    report_of(name, &text)
}

#[track_caller]
fn report_of(name: &str, text: &str) -> String {
    let files = files(name);
    let report = load_in(&files, text).expect_err("the file has a mistake").to_string();
    report.replace(&files.display().to_string(), "DIR")
}

/// What is said of the sound file after these replacements, though it can be served with.
#[track_caller]
fn warnings(name: &str, changes: &[(&str, &str)]) -> String {
    let text = changes.iter().fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no place for {from:?}");
        text.replacen(from, to, 1)
    });
    // The provider's name, as one of the same length that is no placeholder, which would be a warning of its own.
    let text = text.replace("login.example.com\n    client_id", "login.company.com\n    client_id");
    let files = files(name);
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    config.warnings.to_string().replace(&files.display().to_string(), "DIR")
}

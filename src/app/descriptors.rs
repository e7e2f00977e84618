//! File descriptors: every connection takes one, a request under way another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::listener::settings::Limits;

/// For listening, files, the log, providers and what the runtime keeps.
const OTHERS: u64 = 256;

/// With fewer than this, few connections are enough to run out.
const FEW: u64 = 4096;

/// Raises this process's limit of open files to the most that it may have: what a shell or a service manager gives by
/// default is made for programs that serve nobody.
///
/// Warns where even that is less than the listeners' `connections_max` need, with one connection to a target for each of a
/// client's: but only where an operator asked for that many connections, or where very few are possible. The default of
/// `connections_max` is more than most machines ever see; if they do, `accept` says so.
pub(super) fn raise(limits: &[&Limits]) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let Some(allowed) = getrlimit(Resource::Nofile).current else { return };
    let connections_max: usize = limits.iter().map(|limits| limits.connections_max).sum();
    let needed = (2 * connections_max as u64).saturating_add(OTHERS);
    let default = Limits::default().connections_max;
    let is_asked_for = limits.iter().any(|limits| limits.connections_max != default);
    if matters(allowed, needed, is_asked_for) {
        tracing::warn!(
            allowed,
            needed,
            "this process may open fewer files than its listeners' connections_max can need: raise the limit \
             (LimitNOFILE= in systemd, --ulimit nofile= in containers) or lower connections_max"
        );
    }
}

fn matters(allowed: u64, needed: u64, is_asked_for: bool) -> bool {
    allowed < needed && (is_asked_for || allowed < FEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_descriptors_are_only_mentioned_where_they_matter() {
        let default = 2 * 20_000 + OTHERS;
        assert!(!matters(524_288, default, false), "enough");
        assert!(!matters(8_192, default, false), "nobody asked for so many connections");
        assert!(matters(8_192, 2 * 10_000 + OTHERS, true), "somebody did");
        assert!(matters(1_024, default, false), "a few hundred connections are the end");
        assert!(!matters(1_024, 2 * 100 + OTHERS, true), "enough for few");
    }
}

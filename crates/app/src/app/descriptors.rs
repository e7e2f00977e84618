//! File descriptors: each connection uses one, and each request in progress one more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::listener::settings::Limits;

/// Descriptors for listeners, files, the log, providers and the runtime.
const OTHERS: u64 = 256;

/// Below this number, a few connections use up all descriptors.
const FEW: u64 = 4096;

/// Raises the soft limit of open files to the hard limit. The default of shells and service managers is too low for a
/// server.
///
/// Logs a warning if the limit is lower than `connections_max` of the listeners needs, with one target connection per
/// client connection. It warns only if the file sets `connections_max` or if the limit is very low, because most
/// machines never reach the default of `connections_max`. If they do, `accept` logs an error.
pub(super) fn raise<'l>(limits: impl Iterator<Item = &'l Limits> + Clone) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let Some(allowed) = getrlimit(Resource::Nofile).current else { return };
    let connections_max: usize = limits.clone().map(|limits| limits.connections_max).sum();
    let needed = (2 * connections_max as u64).saturating_add(OTHERS);
    let default = Limits::default().connections_max;
    let is_asked_for = { limits }.any(|limits| limits.connections_max != default);
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

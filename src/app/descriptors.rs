//! File descriptors: every connection takes one, a request under way another.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For listening, files, the log, providers and what the runtime keeps.
const OTHERS: u64 = 256;

/// Raises this process's limit of open files to the most that it may have: what a shell or a service manager gives by
/// default is made for programs that serve nobody. Says so where even that is less than `connections_max` connections of
/// clients need with one to a target each.
pub(super) fn raise(connections_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let needed = (2 * connections_max as u64).saturating_add(OTHERS);
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "this process may open fewer files than its listeners' connections_max can need: raise the limit \
             (LimitNOFILE= in systemd, --ulimit nofile= in containers) or lower connections_max"
        );
    }
}

//! Whether the clients of a listener can reach the targets of its rules (ALB §9.1).

use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::action::Action;
use crate::config::raw::listener::Protocol;
use crate::config::raw::target_group::ProtocolVersion;
use crate::config::validate::context::Context;
use crate::config::validate::{every_action, forward};

/// Reports rules whose every request would be refused: clients use HTTP/2 with HTTPS listeners only, and targets with HTTP/2 or gRPC need
/// clients that do.
pub(super) fn check(raw: &raw::File, context: &mut Context<'_>) {
    let at = Path::default().key("listeners");
    for (index, listener) in raw.listeners.iter().filter(|(_, listener)| listener.protocol == Protocol::Http) {
        for (action, at) in every_action::of_listener(listener, at.index(index)) {
            check_action(action, &at, raw, context);
        }
    }
}

fn check_action(action: &Action, at: &Path, raw: &raw::File, context: &mut Context<'_>) {
    let Action::Forward(to) = action else { return };
    for (name, at) in forward::groups(to, at) {
        let version = match raw.target_groups.get(name).map(|group| group.protocol_version) {
            None | Some(ProtocolVersion::Http1) => continue,
            Some(ProtocolVersion::Http2) => "http2",
            Some(ProtocolVersion::Grpc) => "grpc",
        };
        let message = format!("`{name}` has `protocol_version: {version}`, and no client of this listener uses HTTP/2");
        let problem = context.found.problem(&at, message);
        problem.hint("forward to it from a listener with `protocol: https`");
    }
}

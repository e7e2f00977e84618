//! Whether the clients of a listener can reach the targets of its rules (ALB §9.1).

use crate::config::document::path::Path;
use crate::config::raw::action::Action;
use crate::config::raw::listener::Protocol;
use crate::config::raw::target_group::ProtocolVersion;
use crate::config::raw::{self, value::List};
use crate::config::validate::context::Context;
use crate::config::validate::forward;

/// Reports rules whose every request would be refused: clients use HTTP/2 with HTTPS listeners only, and targets with HTTP/2 or gRPC need
/// clients that do.
pub(super) fn check(raw: &raw::File, context: &mut Context<'_>) {
    let at = Path::default().key("listeners");
    for (index, listener) in raw.listeners.iter().filter(|(_, listener)| listener.protocol == Protocol::Http) {
        let at = at.index(index);
        for (index, rule) in listener.rules.iter() {
            actions(&rule.actions, &at.key("rules").index(index).key("actions"), raw, context);
        }
        actions(&listener.default_actions, &at.key("default_actions"), raw, context);
    }
}

fn actions(actions: &List<Action>, at: &Path, raw: &raw::File, context: &mut Context<'_>) {
    for (index, action) in actions.iter() {
        let Action::Forward(to) = action else { continue };
        for (name, at) in forward::groups(to, &at.index(index)) {
            let version = match raw.target_groups.get(name).map(|group| group.protocol_version) {
                None | Some(ProtocolVersion::Http1) => continue,
                Some(ProtocolVersion::Http2) => "http2",
                Some(ProtocolVersion::Grpc) => "grpc",
            };
            let message =
                format!("`{name}` has `protocol_version: {version}`, and no client of this listener uses HTTP/2");
            let problem = context.found.problem(&at, message);
            problem.hint("forward to it from a listener with `protocol: https`");
        }
    }
}

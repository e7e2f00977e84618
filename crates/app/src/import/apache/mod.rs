//! An Apache configuration with mod_auth_openidc in front of a reverse proxy.
//!
//! `syntax` reads lines and `tree` the directives of all files. `scope` finds hosts and sections about paths, `rules` merges what the sections say of
//! each path, as Apache does, `sockets` finds where the hosts are, and `listeners` puts the rules of all hosts together. `providers` has the sign-ins,
//! `metadata` the folders with several of them, `bearer` and `introspection` the tokens, `forward` the targets, and `files` what `DocumentRoot` becomes.
//! A directive that nobody knows may be a gate: it closes what it is in. Apache has hundreds of directives, so those that say nothing about who
//! comes in are listed in `known`.

mod access;
mod bearer;
mod client;
mod client_certificates;
mod files;
mod firewall;
mod forward;
mod headers;
mod introspection;
mod known;
mod listeners;
mod metadata;
mod paths;
mod providers;
mod rewrite;
mod rules;
mod scope;
mod sign_in;
mod sockets;
mod syntax;
mod tree;

use crate::import::apache::metadata::Metadata;
use crate::import::apache::providers::Providers;
use crate::import::apache::rules::Reader;
use crate::import::apache::scope::Host;
use crate::import::apache::tree::Node;
use crate::import::draft::Draft;
use crate::import::ledger::Ledger;
use crate::import::text::Input;

pub(crate) use crate::import::apache::tree::Include;

/// Reads the files, and those that they include. `defines` are names with values.
///
/// # Errors
///
/// In a sentence: what cannot be read, or cannot be carried over as a whole.
pub(crate) fn read(inputs: &[Input], defines: &[String], include: Include<'_>) -> Result<(Draft, Ledger), String> {
    let mut ledger = Ledger::default();
    let mut nodes = Vec::new();
    let mut reader = tree::Reader::new(include, defines, &mut ledger);
    for input in inputs {
        reader.file(input, &mut nodes)?;
    }
    let server = reader.server();
    let mut draft = Draft::default();
    draft.header.push("From an Apache configuration, by `vestibule import mod-auth-openidc`.".to_owned());
    let mut hosts = scope::hosts(&nodes, &mut ledger);
    let sockets = sockets::sockets(&nodes, &hosts, &mut ledger)?;
    for host in &mut hosts {
        firewall::close(host, &mut ledger);
        request_headers(host, &mut draft, &mut ledger);
    }
    let mut providers = Providers::new(Metadata::read(&hosts, include, server.root.as_deref(), &mut ledger));
    for (socket, indices) in &sockets {
        let mut of_socket: Vec<&mut Host<'_>> =
            hosts.iter_mut().enumerate().filter(|(index, _)| indices.contains(index)).map(|(_, host)| host).collect();
        let mut reader = Reader { draft: &mut draft, ledger: &mut ledger, providers: &mut providers, server: &server };
        let listener = listeners::listener(socket, &mut of_socket, &mut reader)?;
        draft.listeners.push(listener);
    }
    for host in hosts.iter().filter(|host| host.closed.is_some()) {
        let why = format!("the host answers 503: {}", host.closed.as_deref().unwrap_or_default());
        host.section.into_iter().for_each(|section| ledger.revoke(&section.path, &why));
    }
    nodes.iter().for_each(|node| finish(node, &mut ledger));
    draft.claims.comment(
        "headers",
        "Clients cannot set any of these. Apache removed them, too, and more: add those that your applications read besides.",
    );
    Ok((draft, ledger))
}

/// `RequestHeader` of hosts and places. What a client could set then closes them.
fn request_headers(host: &mut Host<'_>, draft: &mut Draft, ledger: &mut Ledger) {
    let user = headers::user_of_all(host);
    for directive in host.all("requestheader") {
        if let Err(why) = headers::request_header(directive, user, draft, ledger) {
            host.close(why);
        }
    }
    for place in &mut host.places {
        for directive in place.directives.iter().filter(|directive| directive.name == "requestheader") {
            if let Err(why) = headers::request_header(directive, user, draft, ledger) {
                place.closed.get_or_insert(why);
            }
        }
    }
}

/// A row for each directive that has none yet: it closes nothing.
fn finish(node: &Node, ledger: &mut Ledger) {
    let directive = node.directive();
    if known::is_of_files(&directive.name) {
        return scope::drop_all(node, "no rule serves the files that it is about", ledger);
    }
    let what = match directive.name.as_str() {
        "servername" | "serveralias" => Ok("host_header"),
        "sslengine" => Ok("protocol"),
        "authtype" if directive.word(0).eq_ignore_ascii_case("none") => Ok("no sign-in"),
        "proxypreservehost" | "oidcxforwardedheaders" | "sslrequiressl" => Ok("the listener and its forwards"),
        name => Err(known::dropped(name).unwrap_or("it has no effect here")),
    };
    if let Some(what) = known::changed(&directive.name) {
        ledger.changed(&directive.path, what);
    }
    match what {
        Ok(place) => ledger.kept_itself(&directive.path, place),
        Err(why) => ledger.dropped_itself(&directive.path, why),
    }
    if let Node::Section(_, nodes) = node {
        nodes.iter().for_each(|node| finish(node, ledger));
    }
}

#[cfg(test)]
mod tests;

//! Users, events and entries of the audit as JSON objects.

use serde_json::{Value, json};

use crate::directory::record::Record;
use crate::events::audit::Entry;
use crate::events::event::{Challenge, Event, Reason};

/// A user, without secrets.
pub fn user(user: &Record) -> Value {
    let attributes: serde_json::Map<String, Value> =
        user.attributes.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "username": user.username,
        "sub": user.subject,
        "status": user.status.as_str(),
        "enabled": user.is_enabled,
        "password": user.password_hash.is_some(),
        "temporary_until": user.temporary_until.map(|until| until.to_text()),
        "groups": user.groups,
        "attributes": attributes,
        "created_at": user.created_at.to_text(),
        "modified_at": user.modified_at.to_text(),
    })
}

/// An event, with the names of pool §11.7 where it has one.
pub fn event(event: &Event) -> Value {
    let one = |(name, is_right): &(Challenge, bool)| json!({"name": name.as_str(), "response": if *is_right { "Success" } else { "Failure" }});
    let challenges: Vec<Value> = event.challenges.iter().map(one).collect();
    json!({
        "id": event.id,
        "sub": Some(&event.subject).filter(|subject| !subject.is_empty()),
        "type": event.kind.as_str(),
        "response": event.response.as_str(),
        "challenges": challenges,
        "reason": event.reason.map(Reason::as_str),
        "client_id": event.visit.client,
        "address": event.visit.seen.address,
        "agent": event.visit.seen.agent,
        "at": event.at.to_text(),
    })
}

/// An entry of the audit.
pub fn entry(entry: &Entry) -> Value {
    json!({
        "at": entry.at.to_text(),
        "actor": entry.actor,
        "operation": entry.operation,
        "outcome": entry.outcome.as_str(),
        "sub": entry.subject,
        "detail": entry.detail,
    })
}

//! Users and groups as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::user_pool::factors::Owned;
use crate::user_pool::factors::browsers::TrustedBrowser;
use crate::user_pool::factors::passkeys::ListedPasskey;
use crate::user_pool::management::json;
use crate::user_pool::management::sessions::StoredSession;
use crate::user_pool::management::{Group, Record};

/// One user with everything.
pub(super) fn user(user: &Record, as_json: bool) -> String {
    if as_json {
        return pretty(&json::user(user));
    }
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("username", &user.username);
    line("sub", &user.subject);
    line("status", user.status.as_str());
    line("enabled", yes(user.is_enabled));
    line("password", if user.password_hash.is_some() { "set" } else { "none" });
    if let Some(until) = user.temporary_until {
        line("temporary until", &until.to_text());
    }
    line("groups", &user.groups.join(", "));
    for (name, value) in user.attributes.iter() {
        line(name, &shown(value));
    }
    line("created", &user.created_at.to_text());
    line("modified", &user.modified_at.to_text());
    text
}

/// Some of a list of users as JSON, that [`end_of_items`] ends.
pub(super) fn items(users: &[Record], is_first: bool) -> String {
    let mut text = String::new();
    for (index, user) in users.iter().enumerate() {
        text.push_str(if is_first && index == 0 { "[\n" } else { ",\n" });
        let item = format!("{:#}", json::user(user)).replace('\n', "\n  ");
        let _ = write!(text, "  {item}");
    }
    text
}

/// The end of a list of users as JSON.
pub(super) const fn end_of_items(is_empty: bool) -> &'static str {
    if is_empty { "[]\n" } else { "\n]\n" }
}

/// A page of users as JSON, and where the next one begins.
pub(super) fn page(users: &[Record], after: Option<&str>) -> String {
    let users: Vec<_> = users.iter().map(json::user).collect();
    pretty(&json!({ "users": users, "after": after }))
}

/// One line for each user.
pub(super) fn users(users: &[Record]) -> String {
    let mut rows = vec![["USERNAME", "STATUS", "ENABLED", "EMAIL", "GROUPS"].map(str::to_owned)];
    rows.extend(users.iter().map(|user| {
        let email = user.attributes.get("email").unwrap_or_default().to_owned();
        [
            user.username.clone(),
            user.status.as_str().to_owned(),
            yes(user.is_enabled).to_owned(),
            email,
            user.groups.join(","),
        ]
    }));
    table(&rows)
}

/// What a user has set up, as JSON.
pub(super) fn factors_object(owned: &Owned) -> Value {
    let names: Vec<&str> = owned.factors.iter().map(|factor| factor.name()).collect();
    let at = |time: &Option<Timestamp>| time.map(Timestamp::to_text);
    let passkey = |passkey: &ListedPasskey| {
        json!({
            "id": passkey.id,
            "name": passkey.name,
            "created_at": passkey.created_at.to_text(),
            "used_at": at(&passkey.used_at),
        })
    };
    let browser = |browser: &TrustedBrowser| {
        json!({
            "id": browser.id,
            "agent": browser.agent,
            "created_at": browser.created_at.to_text(),
            "used_at": browser.used_at.to_text(),
            "expires_at": browser.expires_at.to_text(),
        })
    };
    json!({
        "factors": names,
        "app_since": at(&owned.app_since),
        "recovery_codes": owned.recovery_codes,
        "passkeys": owned.passkeys.iter().map(passkey).collect::<Vec<Value>>(),
        "trusted_browsers": owned.trusted_browsers.iter().map(browser).collect::<Vec<Value>>(),
    })
}

/// What a user has set up.
pub(super) fn factors(owned: &Owned, as_json: bool) -> String {
    let names: Vec<&str> = owned.factors.iter().map(|factor| factor.name()).collect();
    let at = |time: &Option<Timestamp>| time.map(Timestamp::to_text);
    if as_json {
        return pretty(&factors_object(owned));
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (codes, browsers) = (owned.recovery_codes, owned.trusted_browsers.len());
    let mut text =
        format!("{:<22} {names}\n{:<22} {codes}\n{:<22} {browsers}\n", "factors", "recovery codes", "trusted browsers");
    if !owned.passkeys.is_empty() {
        let mut rows = vec![["PASSKEY", "ADDED", "LAST USED", "NAME"].map(str::to_owned)];
        rows.extend(owned.passkeys.iter().map(|passkey| {
            let name = shown(passkey.name.as_deref().unwrap_or_default());
            [passkey.id.clone(), passkey.created_at.to_text(), at(&passkey.used_at).unwrap_or_default(), name]
        }));
        let _ = write!(text, "\n{}", table(&rows));
    }
    if !owned.trusted_browsers.is_empty() {
        let mut rows = vec![["TRUSTED BROWSER", "TRUSTED", "LAST USED", "BROWSER"].map(str::to_owned)];
        rows.extend(owned.trusted_browsers.iter().map(|browser| {
            let agent = shown(&browser.agent);
            [browser.id.clone(), browser.created_at.to_text(), browser.used_at.to_text(), agent]
        }));
        let _ = write!(text, "\n{}", table(&rows));
    }
    text
}

/// One line for each group.
pub(super) fn groups(groups: &[Group], as_json: bool) -> String {
    if as_json {
        return pretty(&groups.iter().map(group).collect());
    }
    let mut rows = vec![["GROUP", "PRECEDENCE", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(groups.iter().map(|group| {
        let precedence = group.precedence.map(|number| number.to_string()).unwrap_or_default();
        [group.name.clone(), precedence, shown(group.description.as_deref().unwrap_or_default())]
    }));
    table(&rows)
}

/// A group as JSON.
pub(super) fn group(group: &Group) -> Value {
    json!({"name": group.name, "description": group.description, "precedence": group.precedence})
}

/// One line for each session.
pub(super) fn sessions(sessions: &[StoredSession], as_json: bool) -> String {
    if as_json {
        let value = |session: &StoredSession| {
            json!({
                "id": session.session.id,
                "began_at": session.created_at.to_text(),
                "signed_in_at": Timestamp::from_seconds(session.session.auth_time).to_text(),
                "used_at": session.used_at.to_text(),
                "expires_at": session.expires_at.to_text(),
                "clients": session.clients,
                "address": session.seen.address,
                "agent": session.seen.agent,
            })
        };
        return pretty(&sessions.iter().map(value).collect());
    }
    let mut rows = vec![["SESSION", "SIGNED IN", "LAST USED", "ADDRESS", "CLIENTS", "BROWSER"].map(str::to_owned)];
    rows.extend(sessions.iter().map(|session| {
        [
            session.session.id.clone(),
            Timestamp::from_seconds(session.session.auth_time).to_text(),
            session.used_at.to_text(),
            session.seen.address.clone(),
            session.clients.join(","),
            shown(&session.seen.agent),
        ]
    }));
    table(&rows)
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// A value that users have set, in one line.
pub(super) fn shown(value: &str) -> String {
    value.replace('\n', " ")
}

pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

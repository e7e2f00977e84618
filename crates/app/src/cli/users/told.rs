//! What a command says that has changed something: one line for people, an object for programs.

use serde_json::{Value, json};

use crate::cli::users::output::pretty;
use crate::secret::Secret;
use crate::user_pool::management::{Record, json};
use crate::user_pool::self_service::Sent;

/// What was done, and what happens next.
pub(super) struct Told {
    /// The operation, as the audit calls it.
    done: &'static str,
    /// Sentences in one line.
    text: String,
    object: Value,
}

impl Told {
    /// `object` must be one.
    pub(super) fn new(done: &'static str, text: impl Into<String>, object: Value) -> Self {
        Self { done, text: text.into(), object }
    }

    /// Of a user, as the user is now.
    pub(super) fn of_user(done: &'static str, text: impl Into<String>, user: &Record) -> Self {
        Self::new(done, text, json::user(user))
    }

    /// Of a user who may be none any more.
    pub(super) fn of_former(done: &'static str, text: impl Into<String>, user: &Record) -> Self {
        Self::new(done, text, json!({"username": user.username, "sub": user.subject}))
    }

    /// The same, and programs get this as well.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.object[name] = value.into();
        self
    }

    /// The same, and programs get what was sent.
    pub(super) fn with_sent(self, kind: &str, sent: &Sent) -> Self {
        let sent = match sent {
            Sent::To { to, expires_at } => {
                json!({"kind": kind, "to": to.masked(), "valid_until": expires_at.to_text()})
            }
            Sent::Withheld | Sent::Nothing => Value::Null,
        };
        self.with("sent", sent)
    }

    /// The same, and the temporary password that was made.
    pub(super) fn with_password(self, generated: Option<&Secret<String>>) -> Self {
        let Some(password) = generated else { return self };
        let text = format!("{}\nTemporary password: {}", self.text, password.expose());
        Self { text, ..self }.with("temporary_password", password.expose().as_str())
    }

    /// What to print.
    pub(super) fn print(self, as_json: bool) -> String {
        if as_json {
            let (done, told) = (self.done, self);
            return pretty(&told.with("done", done).object);
        }
        self.text + "\n"
    }
}

/// What ends with what was done.
pub(super) const SESSIONS_END: &str = "Sessions and tokens of this user end within a second.";

/// A user as a line names this user: as in `list`, or the address where users have no other name.
pub(super) fn named(user: &Record) -> String {
    format!("`{}`", user.shown_name())
}

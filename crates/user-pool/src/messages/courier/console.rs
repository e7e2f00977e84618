//! The terminal, for `vestibule dev`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::messages::courier::letter::{Letter, Texts};

/// Messages that are remembered.
const KEPT_MAX: usize = 50;

/// Prints messages and remembers the last ones. Cheap to clone: a clone has the same messages.
#[derive(Clone, Debug, Default)]
pub struct Console(Arc<Mutex<VecDeque<Shown>>>);

/// A message that was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub to: String,
    pub at: Timestamp,
    pub texts: Texts,
}

/// Two are equal if they have the same messages.
impl PartialEq for Console {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Console {}

impl Console {
    pub fn deliver(&self, letter: &Letter<'_>) -> String {
        print(&as_text(letter.to, letter.texts));
        let shown = Shown { to: letter.to.to_owned(), at: letter.written_at, texts: letter.texts.clone() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front(shown);
        "printed on the terminal".to_owned()
    }

    /// The last messages, the newest first.
    pub fn last(&self) -> Vec<Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The message as the terminal shows it. What strangers have typed cannot send commands to the terminal.
fn as_text(to: &str, texts: &Texts) -> String {
    let (heading, body) = match texts {
        Texts::Email { subject, text, .. } => (format!("Mail to {to}: {}", subject.expose()), text),
        Texts::Sms(text) => (format!("SMS to {to}"), text),
    };
    let lines = body.expose().lines().map(|line| format!("  | {line}\n")).collect::<String>();
    format!("\n{heading}\n{lines}").replace(|letter: char| letter.is_control() && letter != '\n', "\u{fffd}")
}

#[expect(clippy::print_stdout, reason = "`dev` is a program for a terminal, and this is what it is there for")]
fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests;

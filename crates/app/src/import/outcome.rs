//! The result of an import and its report.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::config::document::report::Diagnostics;
use crate::import::draft::{Draft, Need};
use crate::import::ledger::{Fate, Ledger, NOTHING_TO_SET, Row, UNKNOWN};
use crate::import::rehearsal;
use crate::import::yaml::{self, Files};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The input cannot be read, or cannot be carried over as a whole.
    #[error("{0}")]
    Input(String),
    /// The result would not be accepted.
    #[error(transparent)]
    Rehearsal(#[from] rehearsal::Error),
}

/// A configuration, and what became of the input.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The configuration, which `check` accepts once the files in `needs` are there.
    pub(crate) yaml: String,
    /// One row for each setting of the input.
    pub(crate) rows: Vec<Row>,
    /// What the operator has to provide.
    needs: Vec<(String, Need)>,
    /// The rules that answer 503, and why.
    pub(crate) closed: Vec<String>,
    /// What `check` warns about.
    pub(crate) warnings: Diagnostics,
}

/// Holds the draft against what `check` accepts, and writes it.
pub(crate) fn finish(mut draft: Draft, mut ledger: Ledger) -> Result<Imported, Error> {
    draft.add_keys();
    let warnings = rehearsal::settle(&mut draft, &mut ledger)?;
    let closed = draft.closed();
    let mut header = draft.header.clone();
    header.push("Read it before you serve it: it says nothing about networks and firewalls. `vestibule check` says what is missing.".to_owned());
    if !closed.is_empty() {
        header.push("What could not be carried over answers 503. Search for NOT CARRIED OVER.".to_owned());
    }
    let yaml = yaml::write(&header, &draft.document(), Files::AsNamed);
    Ok(Imported { yaml, rows: ledger.rows(), needs: draft.needs.into_iter().collect(), closed, warnings })
}

impl Imported {
    /// The report: how much was carried over and what the operator has to provide, then what is different. Settings with one reason share a
    /// line, and those that need nothing are counted.
    pub(crate) fn report(&self) -> String {
        let mut text = self.summary();
        let is_different = self.rows.iter().any(|row| !matches!(row.fate, Fate::Kept(_)));
        text.push_str(if is_different { "\n" } else { "" });
        for row in self.rows.iter().filter(|row| is_unknown(&row.fate)) {
            let _ = writeln!(text, "{}: {}: {}", row.fate.word(), escaped(&row.setting), escaped(row.fate.why()));
        }
        for word in ["changed", "dropped"] {
            let has_line = |fate: &Fate| fate.word() == word && !needs_nothing(fate) && !is_unknown(fate);
            let rows = self.rows.iter().filter(|row| has_line(&row.fate));
            for (why, settings) in by_reason(rows) {
                let more = match settings.len() - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                let _ = writeln!(text, "{word}: {}{more}: {}", escaped(settings[0]), escaped(why));
            }
        }
        let rest = self.rows.iter().filter(|row| needs_nothing(&row.fate)).count();
        if rest > 0 {
            let _ = writeln!(text, "dropped: {rest} more, in whose place nothing has to be set (--explain lists them)");
        }
        text
    }

    /// The same with a table of all settings in place of the lines.
    pub(crate) fn explanation(&self) -> String {
        let setting = self.rows.iter().map(|row| escaped(&row.setting).chars().count()).max().unwrap_or_default();
        let mut text = self.summary();
        let _ = writeln!(text, "\n{:setting$}  {:7}  where, or why", "setting", "");
        for row in &self.rows {
            let _ = writeln!(
                text,
                "{:setting$}  {:7}  {}",
                escaped(&row.setting),
                row.fate.word(),
                escaped(row.fate.why())
            );
        }
        text
    }

    fn summary(&self) -> String {
        let count = |word: &str| self.rows.iter().filter(|row| row.fate.word() == word).count();
        let (kept, changed, dropped) = (count("kept"), count("changed"), count("dropped"));
        let mut text = format!("{} settings: {kept} kept, {changed} changed, {dropped} dropped\n", self.rows.len());
        for closed in &self.closed {
            let _ = writeln!(text, "answers 503: {}", escaped(closed));
        }
        if !self.needs.is_empty() {
            text.push_str("vestibule check accepts the result as soon as these are there:\n");
        }
        for (name, need) in &self.needs {
            let _ = writeln!(text, "  {}: {}", escaped(name), escaped(&explained(need)));
        }
        text
    }
}

/// A text of the input, as a terminal may show it: on one line, and without what a terminal obeys or what turns or hides other letters
/// (Unicode TR 36 §2.8).
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| {
        !letter.is_control()
            && !matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|letter| match is_plain(letter) {
        true => letter.to_string(),
        false => letter.escape_default().to_string(),
    });
    Cow::Owned(escaped.collect())
}

/// Whether a setting is gone that nothing has to take the place of.
fn needs_nothing(fate: &Fate) -> bool {
    matches!(fate, Fate::Dropped(why) if why.ends_with(NOTHING_TO_SET))
}

/// Whether no importer knows the setting. Each has a line of its own, because somebody has to look at it.
fn is_unknown(fate: &Fate) -> bool {
    fate.why() == UNKNOWN
}

/// The reasons in the order of the rows, each with its settings.
fn by_reason<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<(&'r str, Vec<&'r str>)> {
    let (mut reasons, mut places) = (Vec::new(), BTreeMap::new());
    for row in rows {
        let place = *places.entry(row.fate.why()).or_insert_with(|| {
            reasons.push((row.fate.why(), Vec::new()));
            reasons.len() - 1
        });
        reasons[place].1.push(row.setting.as_str());
    }
    reasons
}

fn explained(need: &Need) -> String {
    match need {
        Need::Certificate { key } => format!("the certificate chain (PEM), whose private key is {key}"),
        Need::PrivateKey => "the private key (PEM)".to_owned(),
        Need::ClientSecret => "the client secret of the provider".to_owned(),
        Need::Made { command } => format!("run `{command}`"),
        Need::Directory => "the directory with the files that are served".to_owned(),
        Need::Variable { what } => format!("a variable of the environment: {what}"),
        Need::Authorities { what, .. } => format!("the certificates of the authorities (PEM): {what}"),
        Need::Revoked { what } => format!("a list of revoked certificates (PEM or DER): {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_begins_with_what_there_is_to_do_and_says_each_reason_once() {
        let row = |setting: &str, fate| Row { setting: setting.to_owned(), fate };
        let imported = Imported {
            yaml: String::new(),
            rows: vec![
                row("a", Fate::Dropped("a firewall".to_owned())),
                row("b", Fate::Changed("a file".to_owned())),
                row("c", Fate::Kept("there".to_owned())),
                row("d", Fate::Changed("a file".to_owned())),
                row("e", Fate::Dropped("a zone; nothing to set".to_owned())),
                row("f", Fate::Changed("another file".to_owned())),
                row("g", Fate::Changed("a file".to_owned())),
                row("x", Fate::Dropped(UNKNOWN.to_owned())),
                row("y", Fate::Dropped(UNKNOWN.to_owned())),
                // What is changed has an effect, whatever its reason says.
                row("h", Fate::Changed("a zone; nothing to set".to_owned())),
            ],
            needs: vec![("key".to_owned(), Need::PrivateKey)],
            closed: vec!["public rule: why".to_owned()],
            warnings: Diagnostics::default(),
        };
        let summary = "10 settings: 1 kept, 5 changed, 4 dropped\nanswers 503: public rule: why\n\
                       vestibule check accepts the result as soon as these are there:\n  key: the private key (PEM)\n\n";
        let lines = "dropped: x: this importer does not know the setting\n\
                     dropped: y: this importer does not know the setting\nchanged: b (and 2 more): a file\nchanged: f: another file\nchanged: h: a zone; nothing to set\n\
                     dropped: a: a firewall\ndropped: 1 more, in whose place nothing has to be set (--explain lists them)\n";
        assert_eq!(imported.report(), format!("{summary}{lines}"));
        let explained = imported.explanation();
        assert!(
            explained.starts_with(summary) && explained.contains("\ne  dropped  a zone; nothing to set\n"),
            "{explained}"
        );
        assert_eq!(explained.lines().filter(|line| line.contains("  changed  ")).count(), 5);
    }
}

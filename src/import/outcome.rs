//! The result of an import and its report.

use std::fmt::Write as _;

use crate::config::document::report::Diagnostics;
use crate::import::draft::{Draft, Need};
use crate::import::ledger::{Fate, Ledger, Row};
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
    /// The report: what is different, line by line, what the operator has to provide, and what `check` will say.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for row in self.rows.iter().filter(|row| !matches!(row.fate, Fate::Kept(_))) {
            let _ = writeln!(text, "{}: {}: {}", row.fate.word(), row.setting, row.fate.why());
        }
        text + &self.summary()
    }

    /// The same with a table of all settings in place of the lines.
    pub(crate) fn explanation(&self) -> String {
        let setting = self.rows.iter().map(|row| row.setting.chars().count()).max().unwrap_or_default();
        let mut text = format!("{:setting$}  {:7}  where, or why\n", "setting", "");
        for row in &self.rows {
            let _ = writeln!(text, "{:setting$}  {:7}  {}", row.setting, row.fate.word(), row.fate.why());
        }
        text.push('\n');
        text + &self.summary()
    }

    fn summary(&self) -> String {
        let count = |word: &str| self.rows.iter().filter(|row| row.fate.word() == word).count();
        let (kept, changed, dropped) = (count("kept"), count("changed"), count("dropped"));
        let mut text = format!("{} settings: {kept} kept, {changed} changed, {dropped} dropped\n", self.rows.len());
        for closed in &self.closed {
            let _ = writeln!(text, "answers 503: {closed}");
        }
        if !self.needs.is_empty() {
            text.push_str("vestibule check accepts the result as soon as these are there:\n");
        }
        for (name, need) in &self.needs {
            let _ = writeln!(text, "  {name}: {}", explained(need));
        }
        text
    }
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

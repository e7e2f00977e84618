//! `test`: holds a configuration against a file of expectations.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::app::expectations::{self, Checked};
use crate::app::explain::Probe;
use crate::cli::exit::WrongUse;
use crate::cli::terminal::{for_stderr, print};
use crate::config::cases;
use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::{self, MissingKeys};

/// Nothing could be tested.
const NOT_TESTED: u8 = 2;

const CODES: &str = "\
Exit codes: 0: every case holds; 1: a case does not hold; 2: nothing was tested, because of a mistake in a file or in the command line.";

/// Tests what a configuration does with requests, by a file of expectations.
///
/// No request is sent, and no provider is asked. Each case is decided by the code that serves requests. docs/POLICY_TESTS.md describes the file.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct Test {
    /// The file with the cases.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration, in place of `config` of the file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let loaded = Source::read(&self.file).and_then(|source| {
            let check = |case: &cases::Case| probe(case, &source).map(drop);
            cases::load(&source, check).map(|cases| (source, cases))
        });
        let (source, cases) = match loaded {
            Ok(loaded) => loaded,
            Err(report) => return Ok(not_tested(&report)),
        };
        let named = cases.config.as_ref().map(|name| source.resolve(name));
        let Some(file) = self.config.clone().or(named) else {
            let why = format!("{} does not name a configuration: add `config`, or use --config", self.file.display());
            return Err(WrongUse(why).into());
        };
        let config = match load(&file) {
            Ok(config) => config,
            Err(report) => return Ok(not_tested(&report)),
        };
        if let Err(report) = cases.check_names(&source, &expectations::known(&config)) {
            return Ok(not_tested(&report));
        }
        let probes: Result<Vec<_>, _> = cases.list.iter().map(|case| probe(case, &source)).collect();
        let probes = probes.map_err(|(_, why)| WrongUse(why))?;
        let checked = expectations::check(config, &cases.list, &probes)?;
        print(&if self.json { as_json(&checked)? } else { as_text(&checked) })?;
        let holds = checked.iter().all(|case| case.differences.is_empty());
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The request of a case, with the files that it names.
fn probe(case: &cases::Case, source: &Source) -> Result<Probe, (&'static str, String)> {
    expectations::probe(case, |file| std::fs::read(source.resolve(file)))
}

fn load(file: &Path) -> Result<config::Config, Diagnostics> {
    Source::read(file).and_then(|source| config::load(&source, MissingKeys::Refuse))
}

fn not_tested(report: &Diagnostics) -> ExitCode {
    eprintln!("{}", for_stderr(report));
    ExitCode::from(NOT_TESTED)
}

fn as_text(checked: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { name, differences, explanation } in checked {
        if differences.is_empty() {
            let _ = writeln!(text, "ok      {name}");
            continue;
        }
        let _ = writeln!(text, "FAILED  {name}");
        differences.iter().for_each(|difference| {
            let _ = writeln!(text, "  {difference}");
        });
        text.push('\n');
        explanation.lines().for_each(|line| {
            let _ = writeln!(text, "    {line}");
        });
        text.push('\n');
    }
    let failed = checked.iter().filter(|case| !case.differences.is_empty()).count();
    let _ = writeln!(text, "\n{} of {} cases hold", checked.len() - failed, checked.len());
    text
}

fn as_json(checked: &[Checked]) -> anyhow::Result<String> {
    let failed = checked.iter().filter(|case| !case.differences.is_empty()).count();
    let all = json!({ "cases": checked, "failed": failed });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

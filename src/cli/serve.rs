//! `serve`: runs the proxy with a configuration file.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::{App, Signals, doors};
use crate::cli::terminal::for_stderr;
use crate::clock::Clock;
use crate::config;
use crate::config::document::source::Source;
use crate::config::{Attempt, MissingKeys};
#[cfg(not(target_os = "linux"))]
use crate::socket::inherited::Inherited;
use crate::telemetry::logging;

/// Runs the proxy with a configuration file. On SIGTERM or SIGINT, finishes requests in progress and exits.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    takeover: crate::cli::takeover::Arguments,
}

impl Serve {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let loaded = Source::read(&self.config).and_then(|source| config::load(&source, MissingKeys::Refuse));
        let config = match loaded {
            Ok(config) => config,
            Err(diagnostics) => {
                eprintln!("{}", for_stderr(&diagnostics));
                return Ok(ExitCode::FAILURE);
            }
        };
        if !config.warnings().is_empty() {
            eprintln!("{}", for_stderr(config.warnings()));
        }
        for warning in doors::warnings(&config, Clock::system().now()) {
            eprintln!("warning: {warning}");
        }
        logging::start(&config.log);
        let signals = Signals::hear(&config)?;
        let path = self.config.clone();
        let load = Box::new(move || Attempt::file(&path, MissingKeys::Refuse));
        #[cfg(target_os = "linux")]
        let (takeover, inherited) = self.takeover.begin()?;
        #[cfg(not(target_os = "linux"))]
        let inherited = Inherited::default();
        let app = App::start_with(config, load, Clock::system(), inherited)?;
        #[cfg(target_os = "linux")]
        let app = takeover.finish(app, &signals)?;
        app.greet_providers();
        Ok(if app.run(signals) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

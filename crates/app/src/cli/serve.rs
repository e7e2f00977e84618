//! `serve`: runs the proxy with a configuration file.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::{App, Signals, doors};
#[cfg(target_os = "linux")]
use crate::cli::activation;
use crate::cli::terminal::for_stderr;
use crate::clock::Clock;
use crate::config;
use crate::config::document::source::Source;
use crate::config::{Attempt, MissingKeys};
use crate::service_manager::{ServiceManager, Variables};
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
        // First: nothing else runs yet.
        #[cfg(target_os = "linux")]
        let passed = activation::receive()?;
        #[cfg(not(target_os = "linux"))]
        let passed = Vec::new();
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
        let app = App::start_with(config, load, Clock::system(), inherited, passed)?;
        #[cfg(target_os = "linux")]
        let (app, is_successor) = takeover.finish(app, &signals)?;
        #[cfg(not(target_os = "linux"))]
        let is_successor = false;
        if let Some(manager) = service_manager(is_successor) {
            app.set_manager(manager);
        }
        app.greet_providers();
        Ok(if app.run(signals) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The service manager that has started this process, if it wants to be told what the process does (sd_notify(3)).
fn service_manager(is_successor: bool) -> Option<ServiceManager> {
    let text = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let address = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())?;
    let (watchdog, process) = (text("WATCHDOG_USEC"), text("WATCHDOG_PID"));
    let variables = Variables { watchdog: watchdog.as_deref(), watchdog_process: process.as_deref(), is_successor };
    ServiceManager::at(&address, &variables)
        .inspect_err(|error| tracing::warn!(error = %error, "$NOTIFY_SOCKET cannot be used"))
        .ok()
}

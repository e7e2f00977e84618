//! `check`: reports all problems of a configuration, or which rule matches a request.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::app;
use crate::app::doors;
use crate::app::explain::{NotClaims, Probe, explain};
use crate::cli::exit::WrongUse;
use crate::cli::terminal::{for_stderr, print};
use crate::clock::Clock;
use crate::config;
use crate::config::document::diagnostic::Severity;
use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::{Config, MissingKeys};

/// Validates a configuration as `serve` does, and prints all problems at once.
///
/// Exit code 0 if the configuration is valid, 1 if it is not. With --request, a request that is refused is a result like
/// any other, and so is a user who is not let in: the exit code is 0 then, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also test each identity provider: its metadata, issuer, keys, and the client credentials.
    #[arg(long, conflicts_with = "request")]
    online: bool,
    /// Also say what an AWS Application Load Balancer would refuse: its quotas of rules, values, wildcards, certificates and targets.
    #[arg(long, conflicts_with = "request")]
    alb_quotas: bool,
    /// Show which rule matches this request, and why the rules before it do not: "GET https://host/path".
    #[arg(long, value_name = "REQUEST")]
    request: Option<String>,
    /// A header of that request, "Name: value". Can be repeated.
    #[arg(long, value_name = "HEADER", requires = "request")]
    header: Vec<String>,
    /// The client address of that request.
    #[arg(long, visible_alias = "client", value_name = "ADDRESS", requires = "request")]
    source_ip: Option<IpAddr>,
    /// Show what the rule of that request decides about a user with the claims of this file: a JSON object as the payload of
    /// an ID token, or as `/oauth2/userinfo` shows it.
    #[arg(long, value_name = "FILE", requires = "request")]
    claims: Option<PathBuf>,
    /// Show what the rule of that request decides about a bearer token with the claims of this file: a JSON object as the payload of an
    /// access token. Where a rule takes bearer tokens only, `--claims` does the same.
    #[arg(long, value_name = "FILE", requires = "request")]
    token_claims: Option<PathBuf>,
    /// Show what becomes of that request if the client shows the certificate of this PEM file in the TLS handshake. Certificates of
    /// authorities between it and the trust store follow it in the file. Without it, the client shows none.
    #[arg(long, value_name = "FILE", requires = "request")]
    client_certificate: Option<PathBuf>,
    /// Print the result of --request as JSON: a list with an object for each listener that can receive it.
    #[arg(long, requires = "request")]
    json: bool,
}

impl Check {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let probe = self.request.as_deref().map(|request| self.probe(request)).transpose()?;
        let loaded = Source::read(&self.config).and_then(|source| config::load(&source, MissingKeys::Refuse));
        let config = match loaded {
            Ok(config) => config,
            Err(report) => {
                eprintln!("{}\n{}: {}", for_stderr(&report), self.config.display(), counts(&report));
                return Ok(ExitCode::FAILURE);
            }
        };
        if !config.warnings().is_empty() {
            eprintln!("{}", for_stderr(config.warnings()));
        }
        if let Some(probe) = probe {
            let explained = explain(config, &[probe])?;
            let text = match self.json {
                true => {
                    let all: Vec<_> = explained.iter().flat_map(|explanations| &explanations.of).collect();
                    serde_json::to_string_pretty(&all)? + "\n"
                }
                false => explained.iter().map(ToString::to_string).collect(),
            };
            print(&text)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut warnings = doors::warnings(&config, Clock::system().now());
        let beyond = self.alb_quotas.then(|| doors::quotas::beyond(&config));
        warnings.extend(beyond.iter().flatten().cloned());
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
        let (table, summary) = (doors::table(&config), summary(&config, warnings.len()));
        print(&format!("{}: ok ({summary})\n\n{}\n", self.config.display(), table.trim_end()))?;
        if beyond.is_some_and(|beyond| beyond.is_empty()) {
            print("the file is within the quotas of an Application Load Balancer\n")?;
        }
        if self.online {
            return ask_providers(config);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Check {
    fn probe(&self, request: &str) -> anyhow::Result<Probe> {
        let probe = Probe::parse(request, &self.header, self.source_ip);
        let probe = probe.map_err(|error| WrongUse(error.to_string()))?;
        let probe = with_file(probe, self.claims.as_deref(), Probe::of_user)?;
        let probe = with_file(probe, self.token_claims.as_deref(), Probe::with_token)?;
        let Some(file) = &self.client_certificate else { return Ok(probe) };
        let name = || file.display().to_string();
        probe.with_certificates(&std::fs::read(file).with_context(name)?).with_context(name)
    }
}

/// The request with the claims of a file.
fn with_file(
    probe: Probe,
    file: Option<&Path>,
    put: impl FnOnce(Probe, &[u8]) -> Result<Probe, NotClaims>,
) -> anyhow::Result<Probe> {
    let Some(file) = file else { return Ok(probe) };
    let name = || file.display().to_string();
    put(probe, &std::fs::read(file).with_context(name)?).with_context(name)
}

/// Prints the result of each provider. Exit code 1 if users of a provider could not sign in.
fn ask_providers(config: Config) -> anyhow::Result<ExitCode> {
    let surveys = app::survey(config)?;
    for survey in &surveys {
        print(&survey.to_string())?;
    }
    Ok(if surveys.iter().any(|survey| survey.is_wrong()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `2 errors, 1 warning`.
fn counts(report: &Diagnostics) -> String {
    let errors = count(report.count(Severity::Error), "error");
    match report.count(Severity::Warning) {
        0 => errors,
        warnings => format!("{errors}, {}", count(warnings, "warning")),
    }
}

/// What the file has. `warnings` are those beside the ones of loading it.
fn summary(config: &Config, warnings: usize) -> String {
    let rules = config.listeners.iter().map(|listener| listener.rules.len()).sum();
    let mut parts = vec![
        count(config.listeners.len(), "listener"),
        count(rules, "rule"),
        count(config.target_groups.len(), "target group"),
    ];
    for (number, thing) in [(config.providers.len(), "provider"), (config.user_pools.len(), "user pool")] {
        if number > 0 {
            parts.push(count(number, thing));
        }
    }
    let warnings = warnings + config.warnings().count(Severity::Warning);
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    parts.join(", ")
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

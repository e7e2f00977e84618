//! `schema`: prints the JSON Schema of the configuration.

use std::process::ExitCode;

use crate::cli::terminal::print;
use crate::config::reference;

/// Prints the JSON Schema of the configuration file, for editors.
///
/// Save it and put this line at the top of the configuration file: `# yaml-language-server:
/// $schema=vestibule.schema.json`.
#[derive(Debug, clap::Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        print(&reference::schema())?;
        Ok(ExitCode::SUCCESS)
    }
}

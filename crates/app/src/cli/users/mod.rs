//! `users`: hashes of passwords for the configuration, and the users of a pool that has a `store`.

mod audit;
mod breach_list;
mod changed;
mod credentials;
mod erase;
mod events;
mod export;
mod factors;
mod groups;
mod import;
mod keys;
mod list;
mod opened;
mod output;
mod password;
mod rekey;
mod resend;
mod stored;
mod test_message;
mod told;
mod whom;

pub(in crate::cli) use opened::users_of;

use std::process::ExitCode;

use crate::cli::terminal::print;
use crate::user_pool::credential::password::hash;

/// Users of user pools: hashes for the configuration, and the users in the database of a pool (`store`).
///
/// The commands work beside the process that serves. It sees what they do at once.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Users {
    /// Reads a password from one line of standard input, and prints its Argon2id hash for `password_hash`.
    ///
    /// From a script: `printf %s "$PASSWORD" | vestibule users hash`. The terminal shows the password while you type;
    /// to avoid that, read it with `read -s PASSWORD` in the shell first.
    Hash,
    Audit(audit::Audit),
    BreachList(breach_list::BreachListCommand),
    Erase(erase::Erase),
    Events(events::Events),
    Export(export::Export),
    Factors(factors::Factors),
    Import(import::Import),
    Rekey(rekey::RekeyCommand),
    Resend(resend::Resend),
    ResetFactors(factors::ResetFactors),
    TestMessage(test_message::TestMessage),
    #[command(flatten)]
    Stored(stored::Stored),
    #[command(flatten)]
    Changed(changed::Changed),
    #[command(flatten)]
    Groups(groups::Groups),
}

impl Users {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Hash => {
                print(&format!("{}\n", hash(&password::ask("Password")?).expose()))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Audit(command) => command.run(),
            Self::BreachList(command) => command.run(),
            Self::Erase(command) => command.run(),
            Self::Events(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Factors(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Rekey(command) => command.run(),
            Self::Resend(command) => command.run(),
            Self::ResetFactors(command) => command.run(),
            Self::TestMessage(command) => command.run(),
            Self::Stored(command) => command.run(),
            Self::Changed(command) => command.run(),
            Self::Groups(command) => command.run(),
        }
    }
}

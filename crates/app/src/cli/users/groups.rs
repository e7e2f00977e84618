//! Commands for groups.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::users::opened::{self, Of, Opened};
use crate::cli::users::output;
use crate::cli::users::told::Told;
use crate::user_pool::management::Group;

/// What to do with groups.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Groups {
    /// Lists the groups.
    #[command(name = "groups")]
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Adds a group, or changes the one of this name.
    #[command(name = "add-group")]
    Add {
        #[command(flatten)]
        of: Of,
        /// The name.
        group: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// The group with the smallest number comes first in the claim `groups`. Without a number, it comes after those with one.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
        precedence: Option<i64>,
    },
    /// Deletes a group. Its members stay users.
    #[command(name = "delete-group")]
    Delete {
        #[command(flatten)]
        of: Of,
        /// The name.
        group: String,
    },
}

impl Groups {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (Self::List { of } | Self::Add { of, .. } | Self::Delete { of, .. }) = self;
        opened::run(of, async |pool| {
            let text = match self {
                Self::List { .. } => output::groups(&pool.users.groups().await?, of.json),
                Self::Add { group, description, precedence, .. } => {
                    let (name, description) = (group.clone(), description.clone());
                    add(&pool, Group { name, description, precedence: *precedence }).await?.print(of.json)
                }
                Self::Delete { group, .. } => {
                    pool.users.delete_group(group, pool.now).await?;
                    let text = format!(
                        "The group `{group}` is deleted. Its members stay users; their tokens and sessions lose it at their next refresh."
                    );
                    Told::new("group.delete", text, json!({"name": group})).print(of.json)
                }
            };
            Ok((text, ExitCode::SUCCESS))
        })
    }
}

async fn add(pool: &Opened<'_>, group: Group) -> anyhow::Result<Told> {
    let is_new = pool.users.groups().await?.iter().all(|known| known.name != group.name);
    pool.users.put_group(group.clone(), pool.now).await?;
    let name = &group.name;
    let text = match is_new {
        true => format!("The group `{name}` is added. `vestibule users join USER {name}` adds a user to it."),
        false => format!("The group `{name}` was there already, and has this description and precedence now."),
    };
    Ok(Told::new("group.put", text, output::group(&group)).with("new", is_new))
}

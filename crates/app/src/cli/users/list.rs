//! `users list`: in pages, so that a million users need no more memory than a hundred.

use anyhow::Context as _;

use crate::cli::terminal::print;
use crate::cli::users::opened::Opened;
use crate::cli::users::output;
use crate::user_pool::events::audit::Outcome;
use crate::user_pool::management::{Cursor, Filter, Management, Page};

/// Users that are read from the database at a time.
const AT_A_TIME: usize = 500;

/// Which users to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Listed {
    /// Only users like this: `ATTRIBUTE = "VALUE"`, or `ATTRIBUTE ^= "START"`. The attribute is username, sub, email, phone_number, name,
    /// given_name, family_name, preferred_username, cognito:user_status, or status (Enabled, Disabled).
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// At most so many users. With --json, the output is an object with `users`, and with `after` if there are more.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: Option<u16>,
    /// Go on where a list ended: what it printed as `after`.
    #[arg(long, value_name = "AFTER")]
    after: Option<String>,
}

impl Listed {
    /// Prints all users, or returns one page.
    pub(super) async fn list(&self, pool: &Opened<'_>, json: bool) -> anyhow::Result<String> {
        let users = &pool.users;
        let filter = Filter::parse(&self.filter)?;
        let after = self.after.as_deref().map(|text| Cursor::parse(text).context("--after is not what a list printed"));
        let after = after.transpose()?;
        // Before anything is shown: the list is printed a page at a time.
        users.note(("user.list", Outcome::Done), None, pool.now).await?;
        match self.limit {
            Some(limit) => {
                let Page { users, next } = users.search(filter, after, limit.into()).await?;
                let next = next.map(|next| next.to_text());
                if json {
                    return Ok(output::page(&users, next.as_deref()));
                }
                let more = next.map(|next| format!("\nThere are more: --after {next}\n"));
                Ok(output::users(&users) + &more.unwrap_or_default())
            }
            None => all(users, filter, after, json).await,
        }
    }
}

/// Prints everybody, a page at a time. Returns what comes after the last page.
async fn all(users: &Management, filter: Filter, mut after: Option<Cursor>, json: bool) -> anyhow::Result<String> {
    let mut is_first = true;
    loop {
        let page = users.search(filter.clone(), after, AT_A_TIME).await?;
        match json {
            true => print(&output::items(&page.users, is_first))?,
            false if is_first || !page.users.is_empty() => print(&output::users(&page.users))?,
            false => {}
        }
        is_first &= page.users.is_empty();
        after = page.next;
        if after.is_none() {
            return Ok(if json { output::end_of_items(is_first).to_owned() } else { String::new() });
        }
    }
}

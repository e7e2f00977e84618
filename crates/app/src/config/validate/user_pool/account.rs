//! `account` of a user pool.

use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::user_pool::UserPool;
use crate::config::validate::context::Context;
use crate::user_pool::account::settings::{BY_DEFAULT, Settings};
use crate::user_pool::directory::custom::PREFIX;
use crate::user_pool::directory::settings::Settings as Rules;

/// Besides those of [`BY_DEFAULT`]: users know each other by it.
const ALSO: &str = "preferred_username";

pub(super) fn account(
    pool: &UserPool,
    rules: Option<&Rules>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Arc<Settings>, Reported> {
    let is_open = pool.sign_up.as_ref().is_some_and(|raw| raw.open == Some(true));
    let Some(raw) = &pool.account else {
        return Ok(Arc::new(Settings { may_delete: is_open, ..Settings::default() }));
    };
    if pool.store.is_none() {
        let problem = context.found.problem_at_key(&at.key("account"), "the pool has no `store`");
        return problem.lacks(&at.key("store")).hint("it is for users in a database: add `store`").fail();
    }
    let attributes = match &raw.attributes {
        Some(raw) => context.each_item(raw, &at.key("account").key("attributes"), |name, at, context| {
            let custom = rules.and_then(|rules| rules.custom.get(name));
            let expected = match custom {
                Some(custom) if custom.is_mutable => return Ok(name.clone()),
                // The attributes themselves are wrong, which is said already.
                None if rules.is_none() && name.starts_with(PREFIX) => return Ok(name.clone()),
                Some(_) => "it is not mutable: set `mutable: true`, or leave it out".to_owned(),
                None if name == ALSO || BY_DEFAULT.contains(&name.as_str()) => return Ok(name.clone()),
                None => {
                    format!("users can change: {}, {ALSO}, and mutable attributes of the pool", BY_DEFAULT.join(", "))
                }
            };
            context.found.problem(at, format!("users cannot change `{name}`")).hint(expected).fail()
        })?,
        None => Settings::default().attributes,
    };
    Ok(Arc::new(Settings { attributes, may_delete: raw.delete.unwrap_or(is_open) }))
}

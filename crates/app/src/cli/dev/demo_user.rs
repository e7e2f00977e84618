//! The user `demo` of `vestibule dev`.

use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::users::users_of;
use crate::clock::Clock;
use crate::config::Config;
use crate::secret::Secret;
use crate::user_pool::credential::password;
use crate::user_pool::management::{Group, Management, NewUser};
use crate::user_pool::passwords::FirstPassword;

const GROUP: &str = "developers";

/// Adds the user to the pool, if the pool has no such user. Returns what to print as the password.
///
/// # Errors
///
/// If the database fails.
pub(super) fn ensure(
    config: &Config,
    username: &str,
    password: &Secret<String>,
    clock: &Clock,
) -> anyhow::Result<String> {
    let settings = &config.user_pools.first().context("the template has a pool")?.settings;
    let (stored, now) = (users_of(settings, clock.now())?, clock.now());
    let users = Management::new(stored).with_rules(Arc::clone(&settings.directory));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        if let Ok(user) = users.show(username).await {
            let is_as_made = user.password_hash.is_some_and(|hash| password::verify(&hash, password));
            return Ok(if is_as_made { password.expose().clone() } else { "the one that you have set".to_owned() });
        }
        users.put_group(Group { name: GROUP.to_owned(), description: None, precedence: None }, now).await?;
        let attributes = [("name", "Demo User"), ("email", "demo@example.com"), ("email_verified", "true")];
        let new = NewUser {
            username: username.to_owned(),
            password: Some(FirstPassword::imported(password::hash(password))?),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            groups: vec![GROUP.to_owned()],
        };
        users.add(new, now).await?;
        Ok(password.expose().clone())
    })
}

//! The user whom a command is about.

use anyhow::bail;

use crate::user_pool::UserName;
use crate::user_pool::directory::status::Status;
use crate::user_pool::management::{Management, Record};

/// The `sub` of the user whom `typed` names. A command says whom it has taken if that is not the name or the `sub` of the user.
pub(super) async fn whom(users: &Management, typed: &str) -> anyhow::Result<String> {
    let user = users.show(typed).await?;
    if user.subject != typed && UserName::parse(typed) != UserName::parse(&user.username) {
        eprintln!("`{typed}` is an alias of the user `{}` ({})", user.username, user.subject);
    }
    Ok(user.subject)
}

/// Refuses a user whose password is at another provider, where a password of this pool is meant.
pub(super) fn signs_in_here(user: &Record) -> anyhow::Result<()> {
    if user.status != Status::ExternalProvider {
        return Ok(());
    }
    let provider =
        user.provider().map_or_else(|| "another provider".to_owned(), |name| format!("the provider `{name}`"));
    bail!(
        "`{}` signs in at {provider}: the password is there and can be changed only there. Here, the user has none. \
         `disable` keeps the user out, `sign-out` ends the sessions",
        user.shown_name()
    )
}

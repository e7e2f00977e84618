//! The user whom a command is about.

use crate::user_pool::UserName;
use crate::user_pool::management::Management;

/// The `sub` of the user whom `typed` names. A command says whom it has taken if that is not the name or the `sub` of the user.
pub(super) async fn whom(users: &Management, typed: &str) -> anyhow::Result<String> {
    let user = users.show(typed).await?;
    if user.subject != typed && UserName::parse(typed) != UserName::parse(&user.username) {
        eprintln!("`{typed}` is an alias of the user `{}` ({})", user.username, user.subject);
    }
    Ok(user.subject)
}

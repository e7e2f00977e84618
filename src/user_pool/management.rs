//! What an administrator does with the users of a database. Start at [`Management`].
//!
//! Each method is one transaction: it has happened as a whole, or not at all. A process that serves the same pool sees it at once, because nothing
//! of the users is kept in memory.

mod add;
mod erase;
mod export;
pub(crate) mod factors;
mod groups;
pub(crate) mod import;
pub(crate) mod json;
mod log;
mod names;
pub(crate) mod sessions;
mod users;

pub(crate) use add::NewUser;
pub(crate) use export::{group_line, user_line};

pub(crate) use crate::user_pool::directory::filter::{Fault as FilterFault, Filter};
pub(crate) use crate::user_pool::directory::group::Group;
pub(crate) use crate::user_pool::directory::record::Record;
pub(crate) use crate::user_pool::directory::search::{Cursor, Page};
pub(crate) use users::{Error, Management};

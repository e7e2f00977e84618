//! What an administrator does with the users of a database. Start at [`Management`].
//!
//! Each method is one transaction: it has happened as a whole, or not at all. A process that serves the same pool sees it at once, because nothing
//! of the users is kept in memory.

mod add;
mod erase;
mod export;
pub mod factors;
mod groups;
pub mod import;
pub mod json;
mod log;
mod names;
pub mod sessions;
mod users;

pub use add::NewUser;
pub use export::{group_line, user_line};

pub use crate::directory::filter::{Fault as FilterFault, Filter};
pub use crate::directory::group::Group;
pub use crate::directory::record::Record;
pub use crate::directory::search::{Cursor, Page};
pub use users::{Error, Management};

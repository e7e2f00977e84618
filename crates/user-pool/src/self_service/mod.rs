//! What users do without an administrator: sign up, confirm an address, choose another password. Start at [`SelfService`].
//!
//! Each use case answers the same, and does the same work, whoever the user is and whether there is one (pool §5.3): passwords are hashed in any
//! case, messages go through the outbox, and where there is no user there is a code that nobody gets. `hosted_ui` shows it.

pub(crate) mod email_code;
pub(crate) mod first_password;
pub(crate) mod invitation;
pub(crate) mod recovery;
pub(crate) mod service;
pub mod settings;
pub(crate) mod sign_up;
pub(crate) mod verify;

pub use invitation::Error as InvitationError;
pub(crate) use service::Bringer;
pub use service::{SelfService, Sent};

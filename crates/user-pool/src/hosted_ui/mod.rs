//! The pages of the pool: passes forms to `signin`, then continues the OAuth request. Each page is a file; start at `sign_in`.

mod account;
mod asking;
mod authorize;
mod confirm;
mod confirm_user;
pub(crate) mod cookies;
mod csrf;
mod email_code;
pub(crate) mod entry;
mod fields;
mod flow;
mod held;
mod home;
mod named;
mod new_password;
mod own_page;
mod page;
mod passkey;
mod post_back;
mod provider;
mod recovery;
mod refusal;
mod refused;
mod result;
mod set_up_app;
mod sign_in;
mod sign_out;
mod sign_up;
mod signed_in;
mod step;
mod stylesheet;
mod ui;
mod verify;
mod visitor;
mod whose;

pub(crate) use ui::HostedUi;

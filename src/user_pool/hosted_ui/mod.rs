//! The pages of the pool: passes forms to `signin`, then continues the OAuth request. Each page is a file; start at `sign_in`.

mod authorize;
mod confirm;
pub(crate) mod cookies;
mod csrf;
mod home;
mod page;
mod post_back;
mod refusal;
mod refused;
mod result;
mod sign_in;
mod sign_out;
mod signed_in;
mod step;
mod ui;
mod visitor;

pub(crate) use ui::HostedUi;

//! The console on the admin address: the users of the pools that have a database, their state and sessions, and the sign-in log.
//!
//! It is for looking. What it changes is what cannot wait: a user is disabled, enabled, or signed out. Everything else is done by `vestibule users`.
//! Both call the same functions of `user_pool::management`, and both are in the audit. Start at [`Console::answer`].

mod access;
mod answer;
mod pages;
mod pool;
mod route;

pub(crate) use access::Password;
pub(crate) use answer::Console;
pub(crate) use pool::Pool;
pub(crate) use route::has;

//! What users see and change of themselves: the use cases behind the pages below `/account`. `hosted_ui::account` shows them.
//!
//! Each use case takes a [`Visitor`], who may see, or a [`Fresh`] one, who may change: `gate` is the only place that makes them. In the
//! transaction of the use case, the session and the user are read again ([`Account::read`], [`Account::change`]). So nobody sees or changes
//! anything whose session has ended meanwhile, and nobody does it to another user. Start at [`Account`].

pub(crate) mod address;
pub(crate) mod data;
pub(crate) mod factors;
pub(crate) mod gate;
pub(crate) mod overview;
pub(crate) mod password;
pub(crate) mod phone;
pub(crate) mod profile;
mod service;
pub(crate) mod sessions;
pub mod settings;

pub(crate) use gate::{Fresh, Visitor};
pub(crate) use service::{Account, Change};

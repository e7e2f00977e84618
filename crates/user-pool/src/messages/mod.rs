//! Messages to users: codes, links and notices, by e-mail and SMS.
//!
//! A message is a row of the [`outbox`], written by the transaction that causes it: it is there if and only if the change is. Nothing is sent while
//! somebody waits for an answer, so neither a slow mail server nor the absence of a user can be seen in the time that it takes (pool §5.3). Start at
//! [`message::Message`] and [`outbox::Messages::enqueue`].

pub mod courier;
pub mod dispatch;
pub(crate) mod frame;
pub(crate) mod limits;
pub mod message;
pub(crate) mod metrics;
pub(crate) mod outbox;
pub mod outgoing;
pub mod queue;
pub(crate) mod render;
pub mod settings;
pub(crate) mod template;
pub mod texts;
pub mod way;

//! What a sealed value of a session is for. Only this deployment can open it, and only for the same purpose, name and host.

use crate::crypto::sealed::Context;

/// The purpose of an encrypted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The shards of a session.
    Session,
    /// A pending login.
    PendingLogin,
    /// The address to return to after a login, in `state` and in links on Vestibule's own pages.
    Ticket,
}

impl Purpose {
    /// The context of a value with this purpose. `name` is the base name of the cookie, `host` the canonical host of the request that
    /// the value is made for (attacks S-03, C-13).
    pub(super) fn context(self, name: &str, host: &str) -> Context {
        let purpose = match self {
            Self::Session => "vestibule session",
            Self::PendingLogin => "vestibule pending login",
            Self::Ticket => "vestibule login ticket",
        };
        Context::new([purpose, name, host])
    }
}

//! The pages of the console by their paths.

use http::Method;

/// The path of the first page. All others are below it.
pub(super) const PATH: &str = "/console";

/// A page, or the target of a form. The query has the name of the pool and the `sub` of the user: names may have letters that no path has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Pools,
    /// The users of a pool.
    Users,
    Events,
    User,
    Change(Change),
}

/// What can be done to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Disable,
    Enable,
    SignOut,
}

impl Change {
    /// What its button says.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Disable => "Disable this user",
            Self::Enable => "Enable this user",
            Self::SignOut => "Sign out everywhere",
        }
    }

    /// What it does, for who is asked before.
    pub(super) const fn effect(self) -> &'static str {
        match self {
            Self::Disable => {
                "All sessions and tokens of the user end at once, and the user cannot sign in until somebody enables the user again."
            }
            Self::Enable => "The user can sign in again.",
            Self::SignOut => "All sessions and tokens of the user end at once. The user can sign in again.",
        }
    }
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Pools,
        Self::Users,
        Self::Events,
        Self::User,
        Self::Change(Change::Disable),
        Self::Change(Change::Enable),
        Self::Change(Change::SignOut),
    ];

    /// Its path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Pools => PATH,
            Self::Users => "/console/users",
            Self::Events => "/console/events",
            Self::User => "/console/user",
            Self::Change(Change::Disable) => "/console/user/disable",
            Self::Change(Change::Enable) => "/console/user/enable",
            Self::Change(Change::SignOut) => "/console/user/sign-out",
        }
    }

    /// What has this path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path.strip_suffix('/').unwrap_or(path))
    }

    /// Whether it takes this method, and which ones it takes.
    pub(super) fn takes(self, method: &Method) -> Result<(), &'static str> {
        let (takes, allowed) = match self {
            // A page that asks, and the target of its form.
            Self::Change(_) => (matches!(*method, Method::GET | Method::HEAD | Method::POST), "GET, HEAD, POST"),
            _ => (matches!(*method, Method::GET | Method::HEAD), "GET, HEAD"),
        };
        if takes { Ok(()) } else { Err(allowed) }
    }
}

/// Whether the path is one of the console.
pub(crate) fn has(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

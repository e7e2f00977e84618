//! The pages of the console by their paths.

/// The path of the first page. All others are below it.
pub(super) const PATH: &str = "/console";

/// A page, or the target of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'p> {
    Pools,
    /// The users of the pool with this name.
    Users(&'p str),
    Events(&'p str),
    /// One user. The query has the `sub`.
    User(&'p str),
    Change(&'p str, Change),
}

/// What can be done to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Disable,
    Enable,
    SignOut,
}

impl Change {
    /// In the path.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::SignOut => "sign-out",
        }
    }
}

/// What has this path.
pub(super) fn place(path: &str) -> Option<Place<'_>> {
    let mut parts = path.strip_prefix(PATH)?.split('/').skip(1);
    let found = match (parts.next(), parts.next(), parts.next()) {
        (None | Some(""), None, None) => Place::Pools,
        (Some(pool), None, None) => Place::Users(pool),
        (Some(pool), Some("events"), None) => Place::Events(pool),
        (Some(pool), Some("user"), None) => Place::User(pool),
        (Some(pool), Some("user"), Some(change)) => {
            let all = [Change::Disable, Change::Enable, Change::SignOut];
            Place::Change(pool, all.into_iter().find(|known| known.name() == change)?)
        }
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

/// Whether the path is one of the console.
pub(crate) fn has(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

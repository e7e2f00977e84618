//! A pool of the console, and why there may be no page of it.

use std::sync::Arc;

use http::StatusCode;

use crate::user_pool::StoredUsers;
use crate::user_pool::directory::settings::Settings as Rules;
use crate::user_pool::events::audit::Actor;
use crate::user_pool::management::{self, FilterFault, Management};

/// A pool with a database.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) name: String,
    pub(super) users: Management,
}

impl Pool {
    /// The users of the pool with this name in the configuration.
    pub(crate) fn new(stored: StoredUsers, rules: Arc<Rules>) -> Self {
        let name = stored.records.pool.to_string();
        Self { name, users: Management::new(stored).with_rules(rules).by(Actor::Console) }
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("There is no such user pool, or it has no database.")]
    NoPool,
    #[error("The search is not understood: {0}")]
    Search(#[from] FilterFault),
    #[error(transparent)]
    Users(#[from] management::Error),
}

impl Error {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoPool => StatusCode::NOT_FOUND,
            Self::Search(_) => StatusCode::BAD_REQUEST,
            Self::Users(error) if error.is_of_database() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Users(_) => StatusCode::NOT_FOUND,
        }
    }
}

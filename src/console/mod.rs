//! The console on the admin address: the users of the pools that have a database, their state and sessions, and the sign-in log.
//!
//! It is for looking. What it changes is what cannot wait: a user is disabled, enabled, or signed out. Everything else is done by `vestibule users`.
//! Both call the same functions of `user_pool::management`, and both are in the audit. Start at [`Console::answer`].

mod access;
mod pages;
mod route;

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::clock::{Clock, Timestamp};
use crate::console::access::Denied;
use crate::console::route::{Change, Place};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Pages;
use crate::user_pool::StoredUsers;
use crate::user_pool::directory::settings::Settings as Rules;
use crate::user_pool::events::audit::Actor;
use crate::user_pool::management::{self, FilterFault, Management};

pub(crate) use access::Password;

/// The path of the first page. All others are below it.
pub(crate) const PATH: &str = "/console";

/// Events that a page shows.
const EVENTS_SHOWN: i64 = 100;
/// Users that a page shows.
const USERS_SHOWN: usize = 50;

/// The console of one configuration.
#[derive(Debug)]
pub(crate) struct Console {
    password: Password,
    pools: Vec<Pool>,
    pages: Pages,
    clock: Clock,
}

/// A pool with a database.
#[derive(Debug)]
pub(crate) struct Pool {
    name: String,
    users: Management,
}

impl Pool {
    /// The users of the pool with this name in the configuration.
    pub(crate) fn new(stored: StoredUsers, rules: Arc<Rules>) -> Self {
        let name = stored.records.pool.to_string();
        Self { name, users: Management::new(stored).with_rules(rules).by(Actor::Console) }
    }
}

impl Console {
    /// Of these pools, for who knows the password.
    pub(crate) fn new(password: Password, pools: Vec<Pool>, clock: Clock) -> Self {
        Self { password, pools, pages: Pages::default(), clock }
    }

    /// Answers a request for a path of the console. The admin endpoint has looked at its host.
    pub(crate) async fn answer<B>(&self, request: &http::Request<B>) -> WholeResponse {
        match access::check(request, &self.password) {
            Ok(()) => {}
            Err(Denied::Password) => return access::ask(),
            Err(Denied::OtherSite) => return self.refused(StatusCode::FORBIDDEN, "Another site has sent this form."),
        }
        let query = request.uri().query().unwrap_or_default();
        let (Ok(form), place) = (Form::parse(query.as_bytes()), route::place(request.uri().path())) else {
            return self.refused(StatusCode::BAD_REQUEST, "The address cannot be read.");
        };
        let Some(place) = place else { return self.refused(StatusCode::NOT_FOUND, "There is no such page.") };
        let is_change = matches!(place, Place::Change(..));
        if is_change != (request.method() == Method::POST) {
            return self.refused(StatusCode::METHOD_NOT_ALLOWED, "This address does not take that.");
        }
        match self.page(place, &form, self.clock.now()).await {
            Ok(response) => response,
            Err(error) => self.refused(error.status(), &error.to_string()),
        }
    }

    async fn page(&self, place: Place<'_>, form: &Form<'_>, now: Timestamp) -> Result<WholeResponse, Error> {
        let value = |name| form.one(name).ok().flatten().unwrap_or_default();
        match place {
            Place::Pools => Ok(match &self.pools[..] {
                [pool] => access::see_other(&pages::users_path(&pool.name)),
                pools => self.pools(pools),
            }),
            Place::Users(pool) => self.users(self.pool(pool)?, value("search"), value("after"), now).await,
            Place::Events(pool) => self.events(self.pool(pool)?, now).await,
            Place::User(pool) => self.user(self.pool(pool)?, value("sub"), now).await,
            Place::Change(pool, change) => {
                let (pool, subject) = (self.pool(pool)?, value("sub"));
                match change {
                    Change::Disable => pool.users.set_enabled(subject, false, now).await?,
                    Change::Enable => pool.users.set_enabled(subject, true, now).await?,
                    Change::SignOut => pool.users.sign_out(subject, now).await?,
                }
                Ok(access::see_other(&pages::user_path(&pool.name, subject)))
            }
        }
    }

    fn pool(&self, name: &str) -> Result<&Pool, Error> {
        self.pools.iter().find(|pool| pool.name == name).ok_or(Error::NoPool)
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("There is no such user pool, or it has no database.")]
    NoPool,
    #[error("The search is not understood: {0}")]
    Search(#[from] FilterFault),
    #[error(transparent)]
    Users(#[from] management::Error),
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoPool => StatusCode::NOT_FOUND,
            Self::Search(_) => StatusCode::BAD_REQUEST,
            Self::Users(error) if error.is_of_database() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Users(_) => StatusCode::NOT_FOUND,
        }
    }
}

/// Whether the path is one of the console.
pub(crate) fn has(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;

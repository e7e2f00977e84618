//! Answers requests for the console.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::clock::{Clock, Timestamp};
use crate::console::access::{self, Denied, Password};
use crate::console::pages;
use crate::console::pool::{Error, Pool};
use crate::console::route::{Change, Place};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Pages;
use crate::page::headers::Frames;
use crate::page::pages::ConsolePage;
use crate::page::site::NO_FORM;

/// The console of one configuration.
#[derive(Debug)]
pub(crate) struct Console {
    password: Password,
    pools: Vec<Pool>,
    pages: Pages,
    clock: Clock,
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
        let Ok(form) = Form::parse(query.as_bytes()) else {
            return self.refused(StatusCode::BAD_REQUEST, "The address cannot be read.");
        };
        let Some(place) = Place::at(request.uri().path()) else {
            return self.refused(StatusCode::NOT_FOUND, "There is no such page.");
        };
        if let Err(allowed) = place.takes(request.method()) {
            let mut response = self.refused(StatusCode::METHOD_NOT_ALLOWED, "This address does not take that.");
            // RFC 9110 §15.5.6.
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
        match self.page(place, &form, request.method(), self.clock.now()).await {
            Ok(response) => response,
            Err(error) => self.refused(error.status(), &error.to_string()),
        }
    }

    async fn page(
        &self,
        place: Place,
        form: &Form<'_>,
        method: &Method,
        now: Timestamp,
    ) -> Result<WholeResponse, Error> {
        let value = |name| form.one(name).ok().flatten().unwrap_or_default();
        match place {
            Place::Pools => Ok(match &self.pools[..] {
                [pool] => access::see_other(&pages::users_path(&pool.name)),
                pools => self.show(StatusCode::OK, pages::pools(pools)),
            }),
            Place::Users => {
                let page = pages::users(self.pool(value("pool"))?, value("search"), value("after"), now).await?;
                Ok(self.show(StatusCode::OK, page))
            }
            Place::Events => Ok(self.show(StatusCode::OK, pages::events(self.pool(value("pool"))?, now).await?)),
            Place::User => {
                let page = pages::user(self.pool(value("pool"))?, value("sub"), now).await?;
                Ok(self.show(StatusCode::OK, page))
            }
            Place::Change(change) if method != Method::POST => {
                let page = pages::change(self.pool(value("pool"))?, value("sub"), change, now).await?;
                Ok(self.show(StatusCode::OK, page))
            }
            Place::Change(change) => {
                let (pool, subject) = (self.pool(value("pool"))?, value("sub"));
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

    fn refused(&self, status: StatusCode, why: &str) -> WholeResponse {
        self.show(status, pages::refused(why))
    }

    fn show(&self, status: StatusCode, page: ConsolePage) -> WholeResponse {
        let view = self.pages.view_for(&HeaderMap::new());
        let form = if page.acts.is_empty() && page.search.is_none() { NO_FORM } else { "'self'" };
        view.respond(status, &page.in_view(view), form, Frames::Nobody)
    }
}

#[cfg(test)]
mod tests;

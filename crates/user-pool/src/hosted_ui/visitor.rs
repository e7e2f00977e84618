//! What a request says of its browser: its language, its cookies, its session, and the form that it sends.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use crate::database;
use crate::directory::user::User;
use crate::events::event::Visit;
use crate::hosted_ui::csrf;
use crate::hosted_ui::ui::HostedUi;
use crate::message::cookie;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::page::{Pages, View};
use crate::seal::Purpose;
use crate::seen::Seen;
use crate::signin::known::KnownBrowser;
use crate::signin::sso::Session;
use crate::signin::state;
use crate::signin::step::{Step, UnderWay};

/// Maximum number of session cookies of a request that are looked at.
const COOKIES_MAX: usize = 4;

/// Who sends a request, for the sign-in log.
pub(super) fn visit(headers: &HeaderMap, client: IpAddr, request: Option<&AuthorizationRequest>) -> Visit {
    Visit { seen: Seen::of(headers, client), client: request.map(|request| request.client_id.clone()) }
}

impl HostedUi {
    /// The value that binds forms to the browser.
    pub(super) fn browser<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        csrf::browser(headers, &self.cookies.form)
    }

    /// The pages as users see them who sign in to the client of the request, or without a request the pages of the pool. Every page that knows the
    /// request passes it, so that its user sees one look and one language from the first page to the last.
    pub(super) fn view(&self, headers: &HeaderMap, request: Option<&AuthorizationRequest>) -> View<'_> {
        let locales = request.and_then(|request| request.ui_locales.as_deref());
        Self::view_in(self.brand.looks.of(request.map(|request| &*request.client_id)), headers, locales)
    }

    /// The pages of the pool in the first known language of `ui_locales`, else in the language that the browser asks for.
    pub(super) fn view_of_pool(&self, headers: &HeaderMap, ui_locales: Option<&str>) -> View<'_> {
        Self::view_in(self.brand.looks.of(None), headers, ui_locales)
    }

    fn view_in<'p>(pages: &'p Pages, headers: &HeaderMap, ui_locales: Option<&str>) -> View<'p> {
        match ui_locales.and_then(|locales| pages.asked_for(locales)) {
            Some(language) => pages.view(language),
            None => pages.view_for(headers),
        }
    }

    /// The hidden value of a form, as text and decrypted.
    pub(super) fn received<'f, T: serde::de::DeserializeOwned>(
        &self,
        purpose: Purpose,
        headers: &HeaderMap,
        form: &'f Form<'_>,
    ) -> Result<(&'f str, T), state::Refused<T>> {
        if csrf::is_from_elsewhere(headers, &self.origin) {
            return Err(state::Refused::Foreign);
        }
        let carried = form.one("request").ok().flatten().ok_or(state::Refused::Foreign)?;
        let browser = self.browser(headers);
        Ok((carried, state::receive(&self.seal, purpose, carried, browser, self.clock.now())?))
    }

    /// The known browser of the request, if there is one.
    pub(super) fn known_browser(&self, headers: &HeaderMap) -> Option<KnownBrowser> {
        let now = self.clock.now();
        let named = cookie::pairs(headers).filter(|(name, _)| *name == self.cookies.known);
        named.filter_map(|(_, value)| KnownBrowser::open(&self.seal, value, now)).next()
    }

    /// The value of the cookie of a trusted browser.
    pub(super) fn trusted_browser<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        csrf::browser(headers, &self.cookies.trusted)
    }

    /// The single-sign-on session of the browser, to end it or to go on with it. It lets nobody in by itself: see [`visitor`](Self::visitor).
    pub(super) async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, database::Error> {
        let Some(session) = self.opened(headers).await? else { return Ok(None) };
        Ok(self.provider.user(&session).await?.map(|_| session))
    }

    /// The single-sign-on session of the browser, and its user. `None` if a sign-in would ask for more today than was proved when the session began:
    /// the user has got a second factor since, or has to have one now.
    pub(super) async fn visitor(&self, headers: &HeaderMap) -> Result<Option<(Session, Arc<User>)>, database::Error> {
        let Some(session) = self.opened(headers).await? else { return Ok(None) };
        Ok(match self.sign_in.next(&UnderWay::of_session(&session)).await? {
            Some((user, Step::Done)) => Some((session, user)),
            _ => None,
        })
    }

    /// The session of the browser, whatever its user has to prove today.
    pub(super) async fn opened(&self, headers: &HeaderMap) -> Result<Option<Session>, database::Error> {
        let now = self.clock.now();
        let named = cookie::pairs(headers).filter(|(name, _)| *name == self.cookies.session);
        for (_, value) in named.take(COOKIES_MAX) {
            if let Some(session) = self.sessions.open(value, now).await? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }
}

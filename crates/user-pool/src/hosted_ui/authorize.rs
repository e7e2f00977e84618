//! The authorization endpoint as a browser sees it.

use bytes::Bytes;
use http::HeaderMap;

use crate::database;
use crate::hosted_ui::csrf;
use crate::hosted_ui::ui::HostedUi;
use crate::message::cookie;
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::oauth::authorize::Decision;
use crate::reply;

impl HostedUi {
    /// Answers an authorization request: with a redirect to the relying party, or with a page.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
    ) -> Result<WholeResponse, database::Error> {
        let visitor = self.visitor(headers).await?;
        let session = visitor.as_ref().map(|(session, _)| session);
        Ok(match self.provider.authorize(form, session).await? {
            Ok(Decision::Code(location) | Decision::Refused(location)) => reply::see_other(&location),
            Ok(Decision::NeedsSignIn { request, login_hint }) => match self.asked_for(&request) {
                Some(provider) => self.redirect_to(headers, provider, *request, login_hint.as_deref()).await,
                None => {
                    let to_own_page = self.to_own_page(headers, &request, login_hint.as_deref());
                    to_own_page.unwrap_or_else(|| self.ask(headers, Some(&request), login_hint.as_deref()))
                }
            },
            Ok(Decision::NeedsConfirmation(request)) => self.ask_to_confirm(headers, *request, visitor.as_ref()),
            Err(error) => self.page_error(headers, error),
        })
    }

    /// Redirects a cross-site `POST` of a relying party to the same address with `GET`. Browsers send `SameSite=Lax` cookies only with
    /// `GET`, and without the cookies the user would not be signed in.
    pub(crate) fn as_navigation(&self, request: &WholeRequest) -> Option<WholeResponse> {
        let is_cross_site = csrf::fetch_site(request.headers()) == Some("cross-site");
        let has_cookie = cookie::pairs(request.headers()).any(|(name, _)| name == self.cookies.session);
        if request.method() != http::Method::POST || !is_cross_site || has_cookie {
            return None;
        }
        let query = |body: &Bytes| Some(std::str::from_utf8(body).ok()?.to_owned());
        let query = query(request.body()).filter(|query| query.bytes().all(|byte| byte.is_ascii_graphic()))?;
        Some(reply::see_other(&format!("{}?{query}", request.uri().path())))
    }
}

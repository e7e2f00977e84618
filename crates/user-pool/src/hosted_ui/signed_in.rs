//! The end of a sign-in: the session begins, and the user goes on to the application.

use http::{HeaderMap, header};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::ui::HostedUi;
use crate::message::{WholeResponse, cookie};
use crate::oauth::request::AuthorizationRequest;
use crate::reply;
use crate::seen::Seen;
use crate::signin::known::{self, KnownBrowser};
use crate::signin::sso::Begun;
use crate::signin::step::UnderWay;

impl HostedUi {
    /// Signs in a user who has proved enough, and answers with the redirect to the relying party.
    pub(super) async fn signed_in(
        &self,
        headers: &HeaderMap,
        user: &User,
        (under_way, seen): (&UnderWay, Seen),
        request: Option<&AuthorizationRequest>,
    ) -> Result<WholeResponse, database::Error> {
        self.metrics.signed_in.increment();
        let now = self.clock.now();
        let agent = seen.agent.clone();
        let mut response = match request {
            // The relying party requested another user. It gets neither the tokens nor the session of this user.
            Some(request) if !request.is_for(user.subject()) => {
                reply::see_other(&self.provider.not_signed_in_location(request))
            }
            request => {
                let former = self.session(headers).await?;
                let begun = self.sessions.begin(user, under_way.proofs.clone(), former.as_ref(), seen, now).await?;
                self.begin_session(headers, &begun, request).await?
            }
        };
        if under_way.trusts
            && let Some((value, lifetime)) = self.sign_in.trust(under_way, &agent).await?
        {
            let trusted = cookie::set(&self.cookies.trusted, value.expose(), lifetime.as_secs());
            response.headers_mut().append(header::SET_COOKIE, trusted);
        }
        let known = KnownBrowser::of(user, self.known_browser(headers).as_ref(), now).seal(&self.seal);
        let known = cookie::set(&self.cookies.known, &known, known::LIFETIME.as_secs());
        response.headers_mut().append(header::SET_COOKIE, known);
        Ok(response)
    }

    async fn begin_session(
        &self,
        headers: &HeaderMap,
        begun: &Begun,
        request: Option<&AuthorizationRequest>,
    ) -> Result<WholeResponse, database::Error> {
        let mut response = match request {
            Some(request) => reply::see_other(&self.provider.code_location(request, &begun.session).await?),
            None => self.after_sign_in(headers),
        };
        let value = cookie::set(&self.cookies.session, begun.cookie.expose(), self.sessions.lifetime().as_secs());
        response.headers_mut().append(header::SET_COOKIE, value);
        Ok(response)
    }
}

//! The pages between the first factor and the session. One address shows all of them and takes their forms: which page it is, and what the user
//! has proved so far, is sealed in the form. Each page is a file in `step/`.

mod choose;
mod code;
mod passkey;
mod recovery_codes;
mod sealed;
mod set_up_totp;
mod ways;

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::database;
use crate::events::event::{Challenge, Kind as EventKind, Reason, Response};
use crate::hosted_ui::page::{self, Notice};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::hosted_ui::{csrf, refusal, result};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::signin::proof::Proof;
use crate::signin::state;
use crate::signin::step::{Step, UnderWay};
use crate::{reply, routes};

use sealed::{Frame, Kind, Page};

/// The parameter of the address that has the sealed page.
const PARAMETER: &str = "go";

impl HostedUi {
    /// Asks for what comes next, or ends the sign-in.
    pub(super) async fn go_on(
        &self,
        headers: &HeaderMap,
        under_way: UnderWay,
        request: Option<AuthorizationRequest>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let under_way = under_way.wanting(request.as_ref().and_then(AuthorizationRequest::wanted_level));
        let Some((user, step)) = self.sign_in.next(&under_way).await? else {
            // Another password, or disabled, since the first page.
            let again = self.again_location(request.as_ref());
            return Ok(self.refused(headers, page::Refused::Expired, again));
        };
        // Whoever changes an account proves all of it again.
        let may_be_trusted = !self.is_for_account(headers, request.as_ref());
        let is_trusted =
            may_be_trusted && matches!(step, Step::Challenge(_)) && self.is_trusted(headers, &under_way).await?;
        let (step, under_way) = if is_trusted {
            let proofs = under_way.proofs.clone().and(Proof::RememberedBrowser);
            let trusted = UnderWay { proofs, ..under_way };
            // An application that asks for a level wants the factor itself.
            let step = self.sign_in.next(&trusted).await?.map_or(step, |(_, step)| step);
            (step, trusted)
        } else {
            (step, under_way)
        };
        let visit = visit(headers, client, request.as_ref());
        let response = if matches!(step, Step::Done) { Response::Pass } else { Response::InProgress };
        let event = self.events.event(Some(user.subject()), (EventKind::SignIn, response), &visit);
        self.events.put(event.after(under_way.proofs.challenges()));
        match step {
            Step::Done => {
                self.sign_in.remember_address(&user, client);
                self.signed_in(headers, &user, (&under_way, visit.seen), request.as_ref()).await
            }
            Step::Challenge(ways) => match ways.first() {
                Some(way) => {
                    let page = self.page(Kind::Choose(Vec::new()), under_way, request);
                    self.ask_for(headers, page, way, ways, client).await
                }
                None => Ok(self.nothing_to_set_up(headers)),
            },
            Step::SetUp(factors) => {
                let page = self.page(Kind::Choose(factors.clone()), under_way, request);
                match factors[..] {
                    [] => Ok(self.nothing_to_set_up(headers)),
                    [only] => self.set_up(headers, page, only).await,
                    _ => Ok(self.lead_to(headers, &page)),
                }
            }
            Step::NotConfirmed | Step::NewPassword | Step::ResetRequired => {
                let page = self.held(headers, &user, request).await?;
                Ok(page.unwrap_or_else(|| {
                    self.metrics.disabled.increment();
                    self.refuse(headers, StatusCode::FORBIDDEN, refusal::HELD)
                }))
            }
        }
    }

    async fn is_trusted(&self, headers: &HeaderMap, under_way: &UnderWay) -> Result<bool, database::Error> {
        match self.trusted_browser(headers) {
            Some(cookie) => self.sign_in.is_trusted(under_way, cookie).await,
            None => Ok(false),
        }
    }

    /// A page that is shown now for the first time.
    fn page(&self, kind: Kind, under_way: UnderWay, request: Option<AuthorizationRequest>) -> Page {
        let shown_at = self.clock.now().seconds().max(self.sessions.first_auth_time(&under_way.subject));
        Page { kind, under_way, request, shown_at, notice: None }
    }

    /// The page for a user who has to have a second factor and cannot set one up.
    fn nothing_to_set_up(&self, headers: &HeaderMap) -> WholeResponse {
        self.refuse(headers, StatusCode::FORBIDDEN, refusal::NO_SECOND_FACTOR)
    }

    /// Leads to a page.
    fn turn_to(
        &self,
        headers: &HeaderMap,
        kind: Kind,
        under_way: UnderWay,
        request: Option<AuthorizationRequest>,
    ) -> WholeResponse {
        self.lead_to(headers, &self.page(kind, under_way, request))
    }

    /// Leads to a page, by a redirect where the client is a browser (decision 43).
    fn lead_to(&self, headers: &HeaderMap, page: &Page) -> WholeResponse {
        let code = page.notice.map(Notice::code);
        let coded = |response| match code {
            Some(code) => refusal::because(code, response),
            None => response,
        };
        if let Some(location) = self.step_location(headers, page) {
            return coded(reply::see_other(&location));
        }
        let mut response = coded(self.show(headers, page.notice.map_or(StatusCode::OK, Notice::status), page));
        if let Some(seconds) = page.notice.and_then(Notice::wait) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// `None` if the client gets the page at once.
    fn step_location(&self, headers: &HeaderMap, page: &Page) -> Option<String> {
        let browser = self.browser(headers).filter(|_| csrf::is_navigation(headers))?;
        let sealed = state::carry(&self.seal, Purpose::Step, page, browser, self.clock.now());
        let location = format!("{}?{PARAMETER}={sealed}", routes::STEP);
        (location.len() <= result::LOCATION_BYTES_MAX).then_some(location)
    }

    /// The page, with the form that carries it.
    fn show(&self, headers: &HeaderMap, status: StatusCode, page: &Page) -> WholeResponse {
        let browser = self.browser(headers).unwrap_or_default();
        let carried = Secret::new(state::carry(&self.seal, Purpose::Step, page, browser, self.clock.now()));
        let view = self.view(headers, page.request.as_ref());
        let script = self.script_url();
        let frame = Frame { view, carried: carried.expose(), status, page, script: &script };
        match &page.kind {
            Kind::Code(asked, ways) => code::show(&frame, (asked, ways), self.sign_in.trusts_for()),
            Kind::Passkey { question, ids, ways } => {
                let options = self.sign_in.passkey_options(question, ids).unwrap_or_default().to_string();
                passkey::show(&frame, &options, ways)
            }
            Kind::Choose(factors) => choose::show(&frame, factors),
            Kind::SetUpTotp(seed) => set_up_totp::show(&frame, seed, &self.service_name()),
            Kind::SetUpPasskey(registration) => passkey::show_set_up(&frame, registration),
            Kind::RecoveryCodes(codes) => recovery_codes::show(&frame, codes),
        }
    }

    /// What an app for one-time passwords calls the pool.
    pub(super) fn service_name(&self) -> String {
        let host = self.origin.split_once("://").map_or(&*self.origin, |(_, authority)| authority);
        self.title.clone().unwrap_or_else(|| host.to_owned())
    }

    /// Shows the page of a sealed address.
    pub(crate) async fn step_page(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
    ) -> Result<WholeResponse, database::Error> {
        let Some(sealed) = form.one(PARAMETER).ok().flatten() else {
            return self.home(headers, &Form::default()).await;
        };
        match state::receive(&self.seal, Purpose::Step, sealed, self.browser(headers), self.clock.now()) {
            Ok(page) if !self.is_left(&page).await? => Ok(self.show(headers, StatusCode::OK, &page)),
            Err(state::Refused::Foreign) => self.home(headers, &Form::default()).await,
            Ok(page) => Ok(self.step_refused_page(headers, state::Refused::Expired(page))),
            Err(refused) => Ok(self.step_refused_page(headers, refused)),
        }
    }

    /// Whether a page is too old, or shows what is shown only until the user goes on: a secret that was set up is shown to nobody, and neither is
    /// one that nobody would be asked to set up any more.
    async fn is_left(&self, page: &Page) -> Result<bool, database::Error> {
        let first_auth_time = self.sessions.first_auth_time(&page.under_way.subject);
        Ok(match page.kind {
            _ if page.is_over(first_auth_time, self.clock.now()) => true,
            Kind::Choose(_) | Kind::SetUpTotp(_) | Kind::SetUpPasskey(_) => {
                !matches!(self.sign_in.next(&page.under_way).await?, Some((_, Step::SetUp(_))))
            }
            Kind::RecoveryCodes(ref codes) => !self.sign_in.are_codes_shown(&page.under_way, codes).await?,
            Kind::Code(..) | Kind::Passkey { .. } => false,
        })
    }

    fn step_refused_page(&self, headers: &HeaderMap, refused: state::Refused<Page>) -> WholeResponse {
        let (why, again) = self.step_refused(refused);
        self.refused_page(headers, why, &again)
    }

    fn step_refused(&self, refused: state::Refused<Page>) -> (page::Refused, String) {
        self.refused_sign_in(match refused {
            state::Refused::Foreign => state::Refused::Foreign,
            state::Refused::OtherBrowser(page) => state::Refused::OtherBrowser(page.request),
            state::Refused::Expired(page) => state::Refused::Expired(page.request),
        })
    }

    /// Takes the form of a page.
    pub(crate) async fn step_form(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let page = match self.received::<Page>(Purpose::Step, headers, form) {
            Ok((_, page)) if !self.is_left(&page).await? => page,
            refused => {
                let refused = refused.map_or_else(|refused| refused, |(_, page)| state::Refused::Expired(page));
                let (why, again) = self.step_refused(refused);
                return Ok(self.refused(headers, why, again));
            }
        };
        if let Some(Err(error)) = page.request.as_ref().map(|request| self.provider.check_again(request)) {
            return Ok(self.page_error(headers, error));
        }
        match page.kind.clone() {
            Kind::Code(asked, ways) => self.answer_code(headers, form, page, (asked, ways), client).await,
            Kind::Passkey { question, ways, .. } => {
                self.answer_passkey(headers, form, page, (*question, ways), client).await
            }
            Kind::Choose(factors) => self.choose_set_up(headers, form, page, &factors).await,
            Kind::SetUpPasskey(registration) => self.set_up_passkey(headers, form, page, &registration, client).await,
            Kind::SetUpTotp(seed) => self.set_up_totp(headers, form, page, &seed, client).await,
            // Two forms at the same moment: the other one was first.
            Kind::RecoveryCodes(codes) if !self.sign_in.leave_codes(&page.under_way, &codes).await? => {
                let (why, again) = self.step_refused(state::Refused::Expired(page));
                Ok(self.refused(headers, why, again))
            }
            Kind::RecoveryCodes(_) => self.go_on(headers, page.under_way, page.request, client).await,
        }
    }

    /// Tells the sign-in log of an answer that was not right. `challenge` is what was asked. `None`: too many were wrong before, and this one was not
    /// looked at.
    fn record_wrong(&self, headers: &HeaderMap, client: IpAddr, page: &Page, challenge: Option<Challenge>) {
        let visit = visit(headers, client, page.request.as_ref());
        let event = self.events.event(Some(&page.under_way.subject), (EventKind::SignIn, Response::Fail), &visit);
        let proved = page.under_way.proofs.challenges();
        self.events.put(match challenge {
            Some(challenge) => event.after(proved.into_iter().chain([(challenge, false)]).collect()),
            None => event.because(Reason::TooMany).after(proved),
        });
    }

    /// Where the user can start again.
    fn again_location(&self, request: Option<&AuthorizationRequest>) -> String {
        let request = request.filter(|request| self.provider.check_again(request).is_ok());
        request.map_or_else(|| routes::SIGN_IN.to_owned(), |request| self.provider.begin_again_location(request))
    }
}

//! The page of the password.

use http::{StatusCode, header};

use crate::account::Fresh;
use crate::account::password::{Changed, Typed};
use crate::directory::user::User;
use crate::hosted_ui::account::form::{OneForm, Page};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::{WholeResponse, cookie};
use crate::page::pages::{Field, Input, Label};
use crate::page::{Sentence, Text};
use crate::routes::account::Section;
use crate::secret::Secret;
use crate::signin::known::{self, KnownBrowser};

/// Whether there is a password of before.
type HasPassword = bool;

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_password_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        self.account_has_passwords(at, &fresh)?;
        let seen = at.account.overview(fresh.visitor()).await?.ok_or_else(|| self.account_over(at))?;
        let page = self.account_shown(at, fresh.visitor(), || seen.has_password());
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_password(at, page, carried, status)))
    }

    fn show_account_password(
        &self,
        at: &At<'_>,
        page: &Page<HasPassword>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let has_password = page.step.step;
        let label = Label::Text(Text::AccountPasswordCurrent);
        let current = Field::required("current", label, Input::CurrentPassword, "");
        let new = self.new_password_field(Text::NewPasswordLabel);
        let one = OneForm {
            title: if has_password { Text::AccountPasswordLink } else { Text::AccountPasswordSetLink },
            lead: vec![Sentence::from(Text::AccountPasswordLead)],
            fields: has_password.then_some(current).into_iter().chain([new]).collect(),
            submit: Text::NewPasswordSubmit,
            others: &[],
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Takes the form.
    pub(super) async fn account_password(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<HasPassword>(at).await?;
        self.account_has_passwords(at, &fresh)?;
        let (Some(current), Some(new)) = (field(at.form, "current"), field(at.form, "password")) else {
            return Ok(self.twice(at.headers));
        };
        let show =
            |page: &Page<HasPassword>, carried: &str, status| self.show_account_password(at, page, carried, status);
        if new.is_empty() || (page.step.step && current.is_empty()) {
            return Ok(self.account_again(at, page, Notice::incomplete(), show));
        }
        let typed = Typed { current: Secret::new(current.to_owned()), new: Secret::new(new.to_owned()) };
        let (known, visit) = (self.known_browser(at.headers), visit(at.headers, at.client, None));
        let notice = match at.account.change_password(&fresh, typed, (at.client, known.as_ref()), &visit).await? {
            Changed::Yes(user) => return self.go_on_with_password(at, &fresh, &user, known.as_ref()).await,
            Changed::Wrong => {
                self.metrics.wrong_password.increment();
                Notice::new("account.wrong_password", StatusCode::FORBIDDEN, Text::AccountPasswordWrong)
            }
            Changed::TooMany(wait) => Notice::too_many(wait),
            Changed::Refused(fault) => Notice::fault("form.password", fault.sentence()),
            Changed::Busy => Notice::busy(),
            Changed::Over => return Err(self.account_over(at)),
        };
        Ok(self.account_again(at, page, notice, show))
    }

    /// Nothing is there for users of the configuration, and for those who sign in at another provider.
    fn account_has_passwords(&self, at: &At<'_>, fresh: &Fresh) -> Result<(), Halt> {
        let user = fresh.visitor().user();
        if user.is_stored() && user.status().may_have_password() {
            Ok(())
        } else {
            Err(self.not_found(at.headers).into())
        }
    }

    /// Gives this browser another session: the one of before has ended with all the others. It has proved what that one had, and has another cookie.
    async fn go_on_with_password(
        &self,
        at: &At<'_>,
        fresh: &Fresh,
        user: &User,
        known: Option<&KnownBrowser>,
    ) -> Result<WholeResponse, Halt> {
        let (former, now) = (fresh.visitor().session(), self.clock.now());
        let seen = visit(at.headers, at.client, None).seen;
        let begun = self.sessions.begin(user, former.proofs.clone(), Some(former), seen, now).await?;
        let mut response = self.account_done(at, &begun.session.id, Section::Overview, Text::AccountPasswordDone);
        let session = cookie::set(&self.cookies.session, begun.cookie.expose(), self.sessions.lifetime().as_secs());
        // A browser that was known before stays known with the new password.
        let known = known.filter(|known| known.is_of(fresh.visitor().user())).map(|_| {
            let known = KnownBrowser::of(user, None, now).seal(&self.seal);
            cookie::set(&self.cookies.known, &known, known::LIFETIME.as_secs())
        });
        for value in [Some(session), known].into_iter().flatten() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        Ok(response)
    }
}

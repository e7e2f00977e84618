//! The pages of the e-mail address and the phone number: one that takes another address, and one that takes the code that was sent to it.

use http::StatusCode;

use crate::account::Fresh;
use crate::account::address::{Asked, Verified};
use crate::directory::record::Record;
use crate::hosted_ui::account::form::{OneForm, Page};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::fields::{attribute_field, wrong_attribute};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::pages::{Field, Input, Label, Other};
use crate::page::{Sentence, Text};
use crate::reply;
use crate::routes::account::Section;
use crate::secret::Secret;
use crate::self_service::settings::Address;

/// What was typed.
type Typed = String;

/// Letters of it that the page shows again.
const TYPED_MAX: usize = 256;

const fn title(address: Address) -> Text {
    match address {
        Address::Email => Text::AccountEmailLink,
        Address::PhoneNumber => Text::AccountPhoneLink,
    }
}

const fn address_section(address: Address) -> Section {
    match address {
        Address::Email => Section::Email,
        Address::PhoneNumber => Section::Phone,
    }
}

const fn code_section(address: Address) -> Section {
    match address {
        Address::Email => Section::EmailCode,
        Address::PhoneNumber => Section::PhoneCode,
    }
}

impl HostedUi {
    /// Shows the page that takes another address.
    pub(super) async fn account_address_page(&self, at: &At<'_>, address: Address) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let seen = at.account.overview(fresh.visitor()).await?.ok_or_else(|| self.account_over(at))?;
        let attribute = address.attribute();
        let is_own = |user: &Record| at.account.given_by(user, attribute).is_none();
        let Some(user) = seen.record.filter(|user| at.account.may_change(address) && is_own(user)) else {
            return Ok(self.not_found(at.headers));
        };
        // One that is not verified may be confirmed as it is.
        let current = user.attributes.get(attribute).filter(|_| !user.attributes.is_verified(attribute));
        let page: Page<Typed> = self.account_shown(at, fresh.visitor(), || current.unwrap_or_default().to_owned());
        let may_remove = address == Address::PhoneNumber && at.account.may_remove_phone(&user);
        Ok(self.account_show(at, &page, |page, carried, status| {
            self.show_account_address(at, address, page, (may_remove, carried, status))
        }))
    }

    pub(super) fn show_account_address(
        &self,
        at: &At<'_>,
        address: Address,
        page: &Page<Typed>,
        (may_remove, carried, status): (bool, &str, StatusCode),
    ) -> WholeResponse {
        let remove = Other { action: Section::PhoneRemove.path(), label: Text::AccountPhoneRemove };
        let one = OneForm {
            title: title(address),
            lead: vec![Text::AccountAddressLead.into()],
            fields: vec![attribute_field(address.attribute(), &page.step.step)],
            submit: Text::RecoverySubmit,
            others: if may_remove { std::slice::from_ref(&remove) } else { &[] },
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Takes another address, and has a code sent to it.
    pub(super) async fn account_address(&self, at: &At<'_>, address: Address) -> Result<WholeResponse, Halt> {
        let (fresh, mut page) = self.account_sent::<Typed>(at).await?;
        if !at.account.may_change(address) {
            return Ok(self.not_found(at.headers));
        }
        let Some(typed) = field(at.form, address.attribute()) else { return Ok(self.twice(at.headers)) };
        page.step.step = typed.trim().chars().take(TYPED_MAX).collect();
        match self.send_account_code(at, &fresh, address, typed).await? {
            Ok(()) => Ok(reply::see_other(code_section(address).path())),
            Err(notice) => Ok(self.account_again(at, page, notice, |page, carried, status| {
                self.show_account_address(at, address, page, (false, carried, status))
            })),
        }
    }

    async fn send_account_code(
        &self,
        at: &At<'_>,
        fresh: &Fresh,
        address: Address,
        typed: &str,
    ) -> Result<Result<(), Notice>, Halt> {
        let language = self.view(at.headers, None).language().to_owned();
        Ok(match at.account.ask_for_address(fresh, (address, typed), language, at.client).await? {
            Asked::Sent => Ok(()),
            Asked::Wrong => Err(Notice::fault("form.attribute", wrong_attribute(address.attribute()))),
            Asked::Domain => Err(Notice::fault("sign_up.domain", Text::SignUpDomain)),
            Asked::TooMany(wait) => Err(Notice::too_many(wait)),
            Asked::Over => return Err(self.account_over(at)),
        })
    }

    /// Shows the page that takes the code. Without an address that waits for one, leads to the page that takes it.
    pub(super) async fn account_code_page(&self, at: &At<'_>, address: Address) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let pending = at.account.pending_address(fresh.visitor(), address).await?;
        // A page that says why a code is not taken has its address: the code may be used up.
        let page: Page<Typed> = self.account_shown(at, fresh.visitor(), || pending.unwrap_or_default());
        if page.step.step.is_empty() {
            return Ok(reply::see_other(address_section(address).path()));
        }
        Ok(self.account_show(at, &page, |page, carried, status| {
            self.show_account_code(at, address, page, (carried, status))
        }))
    }

    fn show_account_code(
        &self,
        at: &At<'_>,
        address: Address,
        page: &Page<Typed>,
        (carried, status): (&str, StatusCode),
    ) -> WholeResponse {
        let again = match address {
            Address::Email => Section::EmailAgain,
            Address::PhoneNumber => Section::PhoneAgain,
        };
        let one = OneForm {
            title: title(address),
            lead: vec![Sentence::from(Text::AccountCodeLead).named("address", page.step.step.as_str())],
            fields: vec![Field::required("code", Label::Text(Text::VerifyCode), Input::Code, "")],
            submit: Text::VerifySubmit,
            others: &[Other { action: again.path(), label: Text::VerifyResend }],
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Takes the code.
    pub(super) async fn account_code(&self, at: &At<'_>, address: Address) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<Typed>(at).await?;
        let Some(code) = field(at.form, "code") else { return Ok(self.twice(at.headers)) };
        let show =
            |page: &Page<Typed>, carried: &str, status| self.show_account_code(at, address, page, (carried, status));
        if code.trim().is_empty() {
            return Ok(self.account_again(at, page, Notice::incomplete(), show));
        }
        let (typed, visit) = ((address, Secret::new(code.to_owned())), visit(at.headers, at.client, None));
        let notice = match at.account.verify_address(&fresh, typed, at.client, &visit).await? {
            Verified::Yes => {
                let session = &fresh.visitor().session().id;
                return Ok(self.account_done(at, session, Section::Overview, Text::AccountAddressDone));
            }
            Verified::Wrong => Notice::fault("code.wrong", Text::CodeWrong),
            Verified::TooManyTries => Notice::fault("code.too_many_tries", Text::CodeTooManyTries),
            Verified::Expired => Notice::fault("code.expired", Text::CodeExpired),
            Verified::Taken => Notice::new("verify.address_taken", StatusCode::CONFLICT, Text::VerifyAddressTaken),
            Verified::TooMany(wait) => Notice::too_many(wait),
            Verified::Over => return Err(self.account_over(at)),
        };
        Ok(self.account_again(at, page, notice, show))
    }

    /// Has another code sent to the same address.
    pub(super) async fn account_code_again(&self, at: &At<'_>, address: Address) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<Typed>(at).await?;
        if !at.account.may_change(address) {
            return Ok(self.not_found(at.headers));
        }
        let notice = match self.send_account_code(at, &fresh, address, &page.step.step).await? {
            Ok(()) => return Ok(reply::see_other(code_section(address).path())),
            Err(notice) => notice,
        };
        Ok(self.account_again(at, page, notice, |page, carried, status| {
            self.show_account_code(at, address, page, (carried, status))
        }))
    }
}

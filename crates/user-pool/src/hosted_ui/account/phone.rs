//! The button that removes the phone number.

use http::StatusCode;

use crate::account::phone::PhoneRemoved;
use crate::hosted_ui::account::factors::why;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::Notice;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::Text;
use crate::routes::account::Section;
use crate::self_service::settings::Address;

impl HostedUi {
    /// Takes the form of the button.
    pub(super) async fn account_remove_phone(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page): (_, Page<String>) = self.account_sent(at).await?;
        if !at.account.may_change(Address::PhoneNumber) {
            return Ok(self.not_found(at.headers));
        }
        let visit = visit(at.headers, at.client, None);
        let notice = match at.account.remove_phone(&fresh, at.client, &visit).await? {
            PhoneRemoved::Yes => {
                let session = &fresh.visitor().session().id;
                return Ok(self.account_done(at, session, Section::Overview, Text::AccountPhoneRemoved));
            }
            PhoneRemoved::Required => Notice::fault("form.attribute", Text::AccountPhoneStays),
            PhoneRemoved::Factor(stays) => Notice::new("account.factor_stays", StatusCode::CONFLICT, why(stays)),
            PhoneRemoved::TooMany(wait) => Notice::too_many(wait),
            PhoneRemoved::Over => return Err(self.account_over(at)),
        };
        Ok(self.account_again(at, page, notice, |page, carried, status| {
            self.show_account_address(at, Address::PhoneNumber, page, (false, carried, status))
        }))
    }
}

//! The page of second factors, passkeys, recovery codes and trusted browsers. Each button of it does one thing; what takes more has a page of its own.

use http::StatusCode;

use crate::account::Fresh;
use crate::account::factors::{Forgotten, Own, OwnFactors};
use crate::clock::Timestamp;
use crate::events::event::{Challenge, Kind as EventKind, Response};
use crate::factors::browsers::TrustedBrowser;
use crate::factors::change::{Removal, Removed};
use crate::factors::passkeys::{ListedPasskey, NAME_MAX};
use crate::factors::rules::Stays;
use crate::hosted_ui::account::agent;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{FactorItem, FactorPage, FactorPart, FactorSaid, ItemButton, NameField};
use crate::page::{Sentence, Text};
use crate::routes::account::Section;

/// What the page says first: that something was not done. `None`: that it was done, or nothing.
type IsRefused = Option<bool>;

/// Names of buttons.
const REMOVE_APP: &str = "remove_app";
const REMOVE_PASSKEY: &str = "remove_passkey";
const NAME_PASSKEY: &str = "name_passkey";
const RENEW_CODES: &str = "renew_codes";
const FORGET: &str = "forget";
const FORGET_ALL: &str = "forget_all";

/// What a button of the page does.
enum Wish {
    Remove(Removal),
    Name(String),
    RenewCodes,
    Forget(Forgotten),
}

impl Wish {
    /// `None`: no button of the page.
    fn of(at: &At<'_>) -> Option<Self> {
        let pressed = |name| at.form.one(name).ok().flatten().map(str::to_owned);
        let app = || pressed(REMOVE_APP).map(|_| Removal::App);
        let passkey = || pressed(REMOVE_PASSKEY).map(Removal::Passkey);
        let one = || pressed(FORGET).map(Forgotten::One);
        let all = || pressed(FORGET_ALL).map(|_| Forgotten::All);
        let removal = app().or_else(passkey).map(Self::Remove);
        let others =
            || pressed(NAME_PASSKEY).map(Self::Name).or_else(|| pressed(RENEW_CODES).map(|_| Self::RenewCodes));
        removal.or_else(others).or_else(|| one().or_else(all).map(Self::Forget))
    }
}

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_factors_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let page: Page<IsRefused> = self.account_shown(at, &who, || None);
        let own = at.account.factors(&who).await?.ok_or_else(|| self.account_over(at))?;
        Ok(self
            .account_show(at, &page, |page, carried, status| self.show_own_factors(at, (page, &own), carried, status)))
    }

    fn show_own_factors(
        &self,
        at: &At<'_>,
        (page, own): (&Page<IsRefused>, &OwnFactors),
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(at.headers, None);
        let is_refused = page.step.step.is_some();
        let list = FactorPage {
            view,
            title: Text::FactorsTitle,
            said: page.alert().map(|sentence| FactorSaid { sentence, is_refused }),
            action: Section::Factors.path(),
            carried,
            parts: [app_part(own), passkey_part(own), codes_part(own), address_part(own), browser_part(own)]
                .into_iter()
                .flatten()
                .collect(),
            links: vec![Link::here(Text::AccountBack, Section::Overview.path())],
        };
        view.respond(status, &list, "'self'", Frames::Nobody)
    }

    /// Takes a button.
    pub(super) async fn account_factors(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<IsRefused>(at).await?;
        let over = || self.account_over(at);
        let done = match Wish::of(at) {
            Some(Wish::Remove(what)) => {
                let removed = at.account.remove_factor(&fresh, what, at.client).await?;
                match self.account_change(at, removed)? {
                    Err(too_many) => Err(too_many),
                    Ok(removed) => {
                        self.record_factor(at, &fresh, removed == Removed::Yes);
                        match removed {
                            Removed::Yes => Ok(Text::FactorsRemoved),
                            Removed::NotThere => Err(not_done(Text::FactorsGone)),
                            Removed::No(stays) => Err(not_done(why(stays))),
                        }
                    }
                }
            }
            Some(Wish::Name(id)) => {
                let Some(typed) = field(at.form, "name") else { return Ok(self.twice(at.headers)) };
                let is_named = at.account.name_passkey(&fresh, &id, typed).await?.ok_or_else(over)?;
                is_named.then_some(Text::FactorsNamed).ok_or_else(|| not_done(Text::FactorsGone))
            }
            Some(Wish::Forget(which)) => {
                let is_forgotten = at.account.forget_browsers(&fresh, which).await?.ok_or_else(over)?;
                is_forgotten.then_some(Text::FactorsForgotten).ok_or_else(|| not_done(Text::FactorsGone))
            }
            Some(Wish::RenewCodes) => {
                let codes = at.account.renew_codes(&fresh, at.client).await?;
                match self.account_change(at, codes)? {
                    Err(too_many) => Err(too_many),
                    Ok(codes) if codes.is_empty() => Err(not_done(Text::FactorsGone)),
                    Ok(codes) => {
                        self.record_factor(at, &fresh, true);
                        return Ok(self.show_new_codes(at, fresh.visitor(), &codes));
                    }
                }
            }
            None => Err(not_done(Text::FactorsGone)),
        };
        match done {
            Ok(said) => Ok(self.account_done(at, &fresh.visitor().session().id, Section::Factors, said)),
            Err(notice) => self.account_factors_again(at, &fresh, page, notice).await,
        }
    }

    /// Shows the page again, with why nothing was done.
    async fn account_factors_again(
        &self,
        at: &At<'_>,
        fresh: &Fresh,
        mut page: Page<IsRefused>,
        notice: Notice,
    ) -> Result<WholeResponse, Halt> {
        let own = at.account.factors(fresh.visitor()).await?.ok_or_else(|| self.account_over(at))?;
        page.step.step = Some(true);
        Ok(self.account_again(at, page, notice, |page, carried, status| {
            self.show_own_factors(at, (page, &own), carried, status)
        }))
    }

    /// Tells the sign-in log of something that is removed or replaced, or not.
    fn record_factor(&self, at: &At<'_>, fresh: &Fresh, is_done: bool) {
        let visit = visit(at.headers, at.client, None);
        self.events.record(Some(fresh.subject()), changed(is_done), &visit);
    }

    /// Tells the sign-in log of a new factor, and whether its answer was right.
    pub(super) fn record_new_factor(&self, at: &At<'_>, fresh: &Fresh, is_right: bool) {
        let visit = visit(at.headers, at.client, None);
        self.events.answered(Some(fresh.subject()), changed(is_right), (Challenge::Mfa, is_right), &visit);
    }
}

/// Says why something was not done.
fn not_done(said: Text) -> Notice {
    Notice::new("account.factor_stays", StatusCode::CONFLICT, said)
}

const fn changed(is_done: bool) -> (EventKind, Response) {
    (EventKind::FactorChange, if is_done { Response::Pass } else { Response::Fail })
}

pub(super) const fn why(stays: Stays) -> Text {
    match stays {
        Stays::LastSecondFactor => Text::FactorsLast,
        Stays::OnlyWayIn => Text::FactorsOnly,
    }
}

/// A date without its time.
fn date(at: Timestamp) -> String {
    at.to_text().chars().take(10).collect()
}

fn used(first: Text, both: Text, added: Timestamp, used: Option<Timestamp>) -> Sentence {
    match used {
        Some(used) => Sentence::from(both).quoted("added", date(added)).quoted("used", date(used)),
        None => Sentence::from(first).quoted("added", date(added)),
    }
}

/// The button that removes something, or why there is none.
fn removal<T>(own: &Own<T>, (button, value): (&'static str, &str)) -> (Option<Sentence>, Vec<ItemButton>) {
    match own.stays {
        Some(stays) => (Some(why(stays).into()), vec![]),
        None => (None, vec![ItemButton { name: button, value: value.to_owned(), label: Text::FactorsRemove }]),
    }
}

fn app_part(own: &OwnFactors) -> Option<FactorPart> {
    if !own.offers_app && own.app.is_none() {
        return None;
    }
    let item = own.app.as_ref().map(|app| {
        let (note, buttons) = removal(app, (REMOVE_APP, "yes"));
        let facts = Sentence::from(Text::FactorsAppSince).quoted("added", date(app.what));
        FactorItem { title: Sentence::from(Text::FactorsApp), facts, field: None, note, buttons }
    });
    let link = if own.app.is_some() { Text::FactorsAppReplace } else { Text::FactorsAppSetUp };
    Some(FactorPart {
        title: Text::FactorsAppTitle,
        lead: own.app.is_none().then_some(Text::FactorsAppNone).into_iter().map(Sentence::from).collect(),
        items: item.into_iter().collect(),
        buttons: vec![],
        links: own.offers_app.then(|| Link::here(link, Section::App.path())).into_iter().collect(),
    })
}

fn passkey_part(own: &OwnFactors) -> Option<FactorPart> {
    if !own.offers_passkeys && own.passkeys.is_empty() {
        return None;
    }
    let none = own.passkeys.is_empty().then_some(Text::FactorsPasskeysNone);
    let link = own.offers_passkeys.then(|| Link::here(Text::PasskeyAddTitle, Section::Passkey.path()));
    Some(FactorPart {
        title: Text::FactorsPasskeysTitle,
        lead: none.into_iter().map(Sentence::from).collect(),
        items: own.passkeys.iter().map(passkey_item).collect(),
        buttons: vec![],
        links: link.into_iter().collect(),
    })
}

fn passkey_item(own: &Own<ListedPasskey>) -> FactorItem {
    let (passkey, (note, buttons)) = (&own.what, removal(own, (REMOVE_PASSKEY, &own.what.id)));
    let name = passkey.name.clone().unwrap_or_default();
    let rename = ItemButton { name: NAME_PASSKEY, value: passkey.id.clone(), label: Text::FactorsRename };
    FactorItem {
        title: passkey.name.clone().map_or_else(|| Text::FactorsPasskey.into(), Sentence::verbatim),
        facts: used(Text::FactorsAdded, Text::FactorsAddedUsed, passkey.created_at, passkey.used_at),
        field: Some(NameField { button: rename, typed: name, length_max: NAME_MAX }),
        note,
        buttons,
    }
}

fn codes_part(own: &OwnFactors) -> Option<FactorPart> {
    let left = own.recovery_codes?;
    let left = Sentence::from(Text::FactorsCodesLeft).number("count", left.try_into().unwrap_or_default());
    Some(FactorPart {
        title: Text::FactorsCodesTitle,
        lead: vec![left, Text::FactorsCodesLead.into()],
        items: vec![],
        buttons: vec![ItemButton { name: RENEW_CODES, value: "yes".to_owned(), label: Text::FactorsCodesRenew }],
        links: vec![],
    })
}

fn address_part(own: &OwnFactors) -> Option<FactorPart> {
    let lead = |address: &String| Sentence::from(Text::FactorsAddress).quoted("address", address);
    (!own.addresses.is_empty()).then(|| FactorPart {
        title: Text::FactorsAddressesTitle,
        lead: own.addresses.iter().map(lead).collect(),
        items: vec![],
        buttons: vec![],
        links: vec![],
    })
}

fn browser_part(own: &OwnFactors) -> Option<FactorPart> {
    let all = ItemButton { name: FORGET_ALL, value: "yes".to_owned(), label: Text::FactorsForgetAll };
    (!own.browsers.is_empty()).then(|| FactorPart {
        title: Text::FactorsBrowsersTitle,
        lead: vec![Text::FactorsBrowsersLead.into()],
        items: own.browsers.iter().map(browser_item).collect(),
        buttons: vec![all],
        links: vec![],
    })
}

fn browser_item(browser: &TrustedBrowser) -> FactorItem {
    FactorItem {
        title: agent::named(&browser.agent),
        facts: used(Text::FactorsTrusted, Text::FactorsTrustedUsed, browser.created_at, Some(browser.used_at)),
        field: None,
        note: None,
        buttons: vec![ItemButton { name: FORGET, value: browser.id.clone(), label: Text::FactorsForget }],
    }
}

//! The overview: what there is of the user, and where to change it.

use http::StatusCode;

use crate::account::Visitor;
use crate::account::overview::Seen;
use crate::directory::record::Record;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::fields::attribute_name;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{AccountPart, Overview};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::routes;
use crate::routes::account::Section;
use crate::self_service::settings::Address;

impl HostedUi {
    /// Shows the overview.
    pub(super) async fn account_overview(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let page: Page<()> = self.account_shown(at, &who, || ());
        let Some(seen) = at.account.overview(&who).await? else { return Err(self.account_over(at)) };
        let view = self.view(at.headers, None);
        let overview = Overview {
            view,
            done: page.alert(),
            parts: self.account_parts(at, &who, &seen),
            links: vec![Link::here(Text::LinkApplications, routes::SIGN_IN)],
        };
        Ok(self.account_show(at, &page, |_, _, status: StatusCode| {
            view.respond(status, &overview, NO_FORM, Frames::Nobody)
        }))
    }

    /// The parts of the overview, in their order. Each has a function of its own.
    fn account_parts(&self, at: &At<'_>, who: &Visitor, seen: &Seen) -> Vec<AccountPart> {
        let mut parts = match &seen.record {
            None => vec![declared_part(who)],
            Some(user) => {
                let password = user.status.may_have_password().then(|| password_part(seen));
                [self.profile_part(at, who, user, seen)].into_iter().chain(password).collect()
            }
        };
        parts.extend(self.factors_part());
        parts.push(AccountPart {
            title: Text::AccountSignedInTitle,
            facts: vec![],
            notes: vec![],
            links: vec![
                Link::here(Text::AccountSessionsTitle, Section::Sessions.path()),
                Link::here(Text::AccountHistoryLink, Section::History.path()),
            ],
        });
        parts.extend(seen.record.as_ref().map(|_| data_part(at)));
        parts
    }

    fn profile_part(&self, at: &At<'_>, who: &Visitor, user: &Record, seen: &Seen) -> AccountPart {
        let value = |name: &str, value: &str| match name {
            "email" | "phone_number" => {
                let is_verified = user.attributes.is_verified(name);
                let text = if is_verified { Text::AccountVerified } else { Text::AccountUnverified };
                Sentence::from(text).quoted("address", value)
            }
            _ => Sentence::verbatim(value),
        };
        let shown = ["email", "phone_number"].into_iter().chain(at.account.profile_names());
        let facts = shown.filter_map(|name| Some((attribute_name(name), value(name, user.attributes.get(name)?))));
        let mut links = Vec::new();
        if at.account.profile_names().next().is_some() {
            links.push(Link::here(Text::AccountProfileLink, Section::Profile.path()));
        }
        for (address, label, section, code) in [
            (Address::Email, Text::AccountEmailLink, Section::Email, Section::EmailCode),
            (Address::PhoneNumber, Text::AccountPhoneLink, Section::Phone, Section::PhoneCode),
        ] {
            if at.account.may_change(address) && at.account.given_by(user, address.attribute()).is_none() {
                links.push(Link::here(label, section.path()));
                let waits = seen.pending.iter().any(|(pending, _)| *pending == address);
                links.extend(waits.then(|| Link::here(Text::AccountPendingLink, code.path())));
            }
        }
        let pending = seen.pending.iter();
        let pending = pending.map(|(_, new)| Sentence::from(Text::AccountPending).named("address", new.as_str()));
        let names = ["email", "phone_number"].into_iter().chain(at.account.profile_names());
        let given = names.filter(|name| user.attributes.get(name).is_some());
        let given = given.filter_map(|name| at.account.given_by(user, name)).next();
        let given = given.map(|provider| Sentence::from(Text::AccountFromProvider).named("provider", provider));
        // Who is named by the address sees it once.
        let name = (user.attributes.get("email") != Some(who.user().shown_name())).then(|| name(who));
        AccountPart {
            title: Text::AccountProfileTitle,
            facts: name.into_iter().chain(facts).collect(),
            notes: given.into_iter().chain(pending).collect(),
            links,
        }
    }

    /// `None` if users of the pool have neither second factors nor passkeys.
    fn factors_part(&self) -> Option<AccountPart> {
        let second = self.sign_in.second()?;
        let has_some = !second.settings.is_off() || second.relying_party.is_some();
        has_some.then(|| AccountPart {
            title: Text::FactorsTitle,
            facts: vec![],
            notes: vec![],
            links: vec![Link::here(Text::FactorsLink, Section::Factors.path())],
        })
    }
}

fn name(who: &Visitor) -> (Sentence, Sentence) {
    (Text::SignInUserName.into(), Sentence::verbatim(who.user().shown_name()))
}

fn declared_part(who: &Visitor) -> AccountPart {
    AccountPart {
        title: Text::AccountProfileTitle,
        facts: vec![name(who)],
        notes: vec![Text::AccountDeclared.into()],
        links: vec![],
    }
}

fn password_part(seen: &Seen) -> AccountPart {
    let (note, link) = match seen.has_password() {
        true => (None, Text::AccountPasswordLink),
        false => (Some(Text::AccountNoPassword.into()), Text::AccountPasswordSetLink),
    };
    AccountPart {
        title: Text::SignInPassword,
        facts: vec![],
        notes: note.into_iter().collect(),
        links: vec![Link::here(link, Section::Password.path())],
    }
}

fn data_part(at: &At<'_>) -> AccountPart {
    let export = Link::here(Text::AccountExportLink, Section::Export.path());
    let delete = at.account.may_delete().then(|| Link::here(Text::AccountDeleteLink, Section::Delete.path()));
    AccountPart {
        title: Text::AccountDataTitle,
        facts: vec![],
        notes: vec![],
        links: std::iter::once(export).chain(delete).collect(),
    }
}

//! The attributes that a user changes at once. An address is changed with a code ([`address`](crate::account::address)).

use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use crate::account::gate::Fresh;
use crate::account::service::Account;
use crate::database::{Error, Transaction};
use crate::directory::attribute::{Attributes, Fault};
use crate::directory::record::Record;
use crate::events::audit::Done;
use crate::events::event::{Kind, Response, Visit};
use crate::messages::limits::Operation;

/// Attributes that are addresses of web pages (OpenID Connect Core §5.1). Applications make links of them.
const URLS: [&str; 3] = ["picture", "profile", "website"];

/// What became of a change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    Yes,
    /// A value has not the form that it must have. This is the name of the attribute.
    Wrong(String),
    /// The provider at which the user signs in says what this attribute is.
    Given(String),
    /// Another user has the name.
    AliasTaken,
    /// Too many changes. The next one is permitted after this time.
    TooMany(Duration),
    /// The session has ended, or the user is of the configuration.
    Over,
}

impl Account {
    /// The names of the attributes that a user changes at once, in their order.
    pub(crate) fn profile_names(&self) -> impl Iterator<Item = &str> {
        let names = self.settings.attributes.iter().map(String::as_str);
        names.filter(|name| !matches!(*name, "email" | "phone_number"))
    }

    /// The title of the provider that says at each sign-in what this attribute of the user is. `None`: nobody, so the user may change it.
    pub(crate) fn given_by(&self, user: &Record, attribute: &str) -> Option<&str> {
        let provider = self.federation.of_user(user)?;
        provider.settings.mapping.sets(attribute).then_some(&*provider.settings.title)
    }

    /// Whether users have to give it.
    pub(crate) fn is_required(&self, name: &str) -> bool {
        self.rules.required.iter().any(|required| required == name)
    }

    /// Changes attributes of a user. An empty value removes one. Names that are none of [`profile_names`](Self::profile_names) are
    /// not looked at, and names that are not given stay.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn change_profile(
        &self,
        who: &Fresh,
        given: Vec<(String, String)>,
        client: IpAddr,
        visit: &Visit,
    ) -> Result<Saved, Error> {
        let now = self.clock.now();
        if let Err(wait) = self.outgoing.limits.admit(Operation::ChangeProfile, who.subject(), client, now) {
            return Ok(Saved::TooMany(wait));
        }
        let account = self.clone();
        let save = move |on: &mut Transaction<'_>, user: &Record| {
            let after = match account.with_profile(&user.attributes, &given) {
                Ok(after) => after,
                Err(fault) => return Ok(Saved::Wrong(fault)),
            };
            let changed = changed(&user.attributes, &after);
            // The next sign-in would undo it.
            if let Some(given) = changed.iter().find(|name| account.given_by(user, name).is_some()) {
                return Ok(Saved::Given(given.clone()));
            }
            if changed.is_empty() {
                return Ok(Saved::Yes);
            }
            let records = &account.stored.records;
            if account.rules.refused_alias(on, records, (&user.attributes, &after), &user.subject)?.is_some() {
                return Ok(Saved::AliasTaken);
            }
            records.set_attributes(on, &user.subject, &after, now)?;
            // Only the names: values tell of people.
            let done =
                Done { operation: "user.attributes", subject: Some(&user.subject), detail: Some(&changed.join(" ")) };
            account.audit(on, done, now)?;
            Ok(Saved::Yes)
        };
        let saved = self.change_user(who, save).await?.unwrap_or(Saved::Over);
        if saved == Saved::Yes {
            self.events.record(Some(who.subject()), (Kind::AttributeChange, Response::Pass), visit);
        }
        Ok(saved)
    }

    /// The attributes with what was given.
    ///
    /// # Errors
    ///
    /// The name of one whose value is not taken.
    fn with_profile(&self, before: &Attributes, given: &[(String, String)]) -> Result<Attributes, String> {
        let mut after = before.clone();
        for name in self.profile_names() {
            let Some((_, value)) = given.iter().find(|(given, _)| given == name) else { continue };
            let value = value.trim();
            let is_wrong = (value.is_empty() && self.is_required(name)) || (URLS.contains(&name) && !is_page(value));
            if is_wrong {
                return Err(name.to_owned());
            }
            self.rules.change(&mut after, [(name, value)]).map_err(|fault: Fault| fault.attribute().to_owned())?;
        }
        Ok(after)
    }
}

/// Whether it is the address of a page, or nothing. Not `javascript:`, which a careless application would run.
fn is_page(value: &str) -> bool {
    value.is_empty() || Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The names of what differs.
fn changed(before: &Attributes, after: &Attributes) -> Vec<String> {
    let names: std::collections::BTreeSet<&str> = before.iter().chain(after.iter()).map(|(name, _)| name).collect();
    names.into_iter().filter(|name| before.get(name) != after.get(name)).map(str::to_owned).collect()
}

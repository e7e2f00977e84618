//! Names other than the user name by which a user signs in (pool §2.2). Each belongs to one user.

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::directory::attribute::{Attributes, is_email};
use crate::directory::name::UserName;
use crate::directory::record::{Record, Records};
use crate::directory::settings::{Alias, Settings, Usernames};

/// The address that is the name of a user who has no other. It need not be verified.
const SIGN_IN: &str = "sign_in";

impl Alias {
    /// The canonical form of the alias that these attributes give, if they give one.
    fn key(self, attributes: &Attributes) -> Option<String> {
        let value = attributes.get(self.as_str())?;
        match self {
            Self::PreferredUsername => {}
            Self::Email | Self::PhoneNumber if attributes.is_verified(self.as_str()) => {}
            Self::Email | Self::PhoneNumber => return None,
        }
        self.canonical(value)
    }

    fn canonical(self, value: &str) -> Option<String> {
        match self {
            Self::Email | Self::PreferredUsername => UserName::parse(value).map(|name| name.as_str().to_owned()),
            Self::PhoneNumber => phone(value),
        }
    }
}

/// A phone number as people type it, in the form of E.164.
fn phone(typed: &str) -> Option<String> {
    let bare: String = typed.chars().filter(|character| !" -./()\u{a0}".contains(*character)).collect();
    let digits = bare.strip_prefix('+')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(bare)
}

/// What somebody typed to sign in, as each of the names that it may be.
#[derive(Clone, Debug)]
pub(crate) struct SignInName {
    name: UserName,
    /// As an alias of each kind that the pool has. An empty text is nobody's.
    email: String,
    phone_number: String,
    preferred_username: String,
    address: String,
}

impl SignInName {
    /// Only as an e-mail address that is somebody's, not as a user name.
    pub(crate) fn by_address(self) -> Self {
        let nobody = String::new();
        Self { name: UserName::nobody(), phone_number: nobody.clone(), preferred_username: nobody, ..self }
    }
}

impl Settings {
    /// What `name` may be in a pool with these settings.
    pub(crate) fn sign_in_name(&self, name: &UserName) -> SignInName {
        let alias = |alias: Alias| {
            let key = alias.canonical(name.as_str()).filter(|_| self.aliases.contains(&alias));
            key.unwrap_or_default()
        };
        SignInName {
            email: alias(Alias::Email),
            phone_number: alias(Alias::PhoneNumber),
            preferred_username: alias(Alias::PreferredUsername),
            address: if self.usernames == Usernames::Email { name.as_str().to_owned() } else { String::new() },
            name: name.clone(),
        }
    }

    /// One spelling for all spellings of a name: a phone number in the form of E.164, if users sign in by theirs.
    pub(crate) fn canonical(&self, name: &UserName) -> UserName {
        let typed = self.sign_in_name(name);
        UserName::parse(&typed.phone_number).unwrap_or(typed.name)
    }

    /// What a user name looks like that could be an alias of another user.
    pub(crate) fn alias_like(&self, name: &UserName) -> Option<Alias> {
        self.aliases.iter().copied().find(|alias| match alias {
            Alias::Email => is_email(name.as_str()),
            Alias::PhoneNumber => phone(name.as_str()).is_some(),
            Alias::PreferredUsername => false,
        })
    }

    /// Whether a user name looks like what another user may sign in with one day: an alias, or an address that is the name of a user.
    pub(crate) fn looks_like_address(&self, name: &UserName) -> bool {
        self.alias_like(name).is_some() || (self.usernames == Usernames::Email && is_email(name.as_str()))
    }

    /// The aliases that these attributes give and those of before did not, in canonical form.
    pub(crate) fn new_aliases(&self, before: &Attributes, now: &Attributes) -> Vec<(Alias, UserName)> {
        let own = Alias::ALL.into_iter().filter(|alias| self.aliases.contains(alias));
        let new = own.filter(|alias| alias.key(now) != alias.key(before));
        new.filter_map(|alias| Some((alias, UserName::parse(&alias.key(now)?)?))).collect()
    }

    /// What a chosen alias looks like that could be the alias of another user one day. One's own address is none.
    pub(crate) fn looks_like_another(&self, alias: Alias, name: &UserName, attributes: &Attributes) -> Option<Alias> {
        if alias.is_verified() {
            return None;
        }
        self.alias_like(name).filter(|other| other.key(attributes) != other.canonical(name.as_str()))
    }

    /// Whom a name that a user is to have leads to already. `alias` is what it is to be for this user, if it is not the user name.
    pub(crate) fn conflict(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        (name, alias): (&UserName, Option<Alias>),
        subject: &str,
    ) -> Result<Option<Conflict>, Error> {
        let key = name.as_str();
        let is_subject = records.of_subject(on, key)?.is_some_and(|other| other.subject != subject);
        if is_subject || self.declared_subject(key).is_some() {
            return Ok(Some(Conflict::Name));
        }
        let mut others = records.called(on, &self.sign_in_name(name))?;
        others.retain(|(_, other)| other != subject);
        // A name stays where it is. So it comes before an alias, which may be taken over.
        let is_name = |(place, _): &(Option<Alias>, String)| place.is_none();
        let is_other = |(place, _): &(Option<Alias>, String)| *place != alias;
        let found = others.iter().position(is_name).or_else(|| others.iter().position(is_other)).unwrap_or_default();
        Ok(others.into_iter().nth(found).map(|(place, owner)| match place {
            None => Conflict::Name,
            Some(place) => Conflict::Alias(place, owner),
        }))
    }

    /// The first alias that these attributes give, those of before did not, and that the user cannot have, because it leads to another user or
    /// could do so one day.
    pub(crate) fn refused_alias(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        (before, attributes): (&Attributes, &Attributes),
        subject: &str,
    ) -> Result<Option<Alias>, Error> {
        for (alias, name) in self.new_aliases(before, attributes) {
            let looks_like_another = self.looks_like_another(alias, &name, attributes).is_some();
            if looks_like_another
                || self.is_reserved(&name)
                || self.conflict(on, records, (&name, Some(alias)), subject)?.is_some()
            {
                return Ok(Some(alias));
            }
        }
        Ok(None)
    }

    /// In a pool whose users have their address as their name: whether the address of these attributes leads to another user.
    pub(crate) fn is_address_taken(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        attributes: &Attributes,
        subject: &str,
    ) -> Result<bool, Error> {
        let Some(name) = self.address_as_name(attributes) else { return Ok(false) };
        Ok(self.conflict(on, records, (&name, None), subject)?.is_some())
    }

    /// Makes the address the name to sign in with, in a pool whose users have no other. `false` if it is another user's.
    pub(crate) fn name_by_address(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        attributes: &Attributes,
        subject: &str,
    ) -> Result<bool, Error> {
        let Some(name) = self.address_as_name(attributes) else { return Ok(true) };
        let is_taken = self.is_address_taken(on, records, attributes, subject)?;
        Ok(!is_taken && records.name_by_address(on, subject, &name)?)
    }

    /// The address, where it is the name to sign in with.
    fn address_as_name(&self, attributes: &Attributes) -> Option<UserName> {
        attributes.get("email").filter(|_| self.usernames == Usernames::Email).and_then(UserName::parse)
    }
}

/// Whom a name leads to already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// A user of this name or `sub`.
    Name,
    /// The user with this `sub`, by an alias of this kind.
    Alias(Alias, String),
}

impl Records {
    /// The user who signs in with this name: by user name, else by address or alias. One statement, whoever has it (attacks U-01).
    pub(crate) fn signing_in(&self, on: &mut Transaction<'_>, name: &SignInName) -> Result<Option<Record>, Error> {
        self.find(on, SIGNING_IN, &self.values(name))
    }

    /// Everybody whom a name leads to, and how. `None`: it is the name of the user. The one who signs in by it is the first.
    fn called(&self, on: &mut Transaction<'_>, name: &SignInName) -> Result<Vec<(Option<Alias>, String)>, Error> {
        let rows = on.query(CALLED, &self.values(name))?;
        let read = |mut row: Row| {
            let alias = match row.integer(0)? {
                2 => Some(Alias::Email),
                3 => Some(Alias::PhoneNumber),
                4 => Some(Alias::PreferredUsername),
                _ => None,
            };
            Ok((alias, row.text(1)?))
        };
        rows.into_iter().map(read).collect()
    }

    fn values<'v>(&'v self, name: &'v SignInName) -> [Value<'v>; 6] {
        [
            Value::from(&*self.pool),
            name.name.as_str().into(),
            (&name.address).into(),
            (&name.email).into(),
            (&name.phone_number).into(),
            (&name.preferred_username).into(),
        ]
    }

    /// Gives a user the address as the name to sign in with. `false` if it is another user's.
    pub(crate) fn name_by_address(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        address: &UserName,
    ) -> Result<bool, Error> {
        let sql = "INSERT INTO aliases (pool, kind, value_key, sub) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let values = [Value::from(&*self.pool), SIGN_IN.into(), address.as_str().into(), subject.into()];
        Ok(on.execute(sql, &values)? == 1)
    }

    /// Takes a verified address from the user who has it: the attribute stays, and is not verified any more.
    pub(crate) fn take_alias(
        &self,
        on: &mut Transaction<'_>,
        alias: Alias,
        owner: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(mut former) = self.of_subject(on, owner)? else { return Ok(()) };
        former.attributes.unverify(alias.as_str());
        self.set_attributes(on, owner, &former.attributes, now)
    }

    /// Makes the aliases of a user those of the attributes. One that another user has stays there.
    pub(super) fn index_aliases(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let sql = "DELETE FROM aliases WHERE pool = ?1 AND sub = ?2 AND kind <> ?3";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), SIGN_IN.into()])?;
        // Who signs in at another provider has no name to sign in with here, and keeps nobody from having it.
        let sql = "INSERT INTO aliases (pool, kind, value_key, sub) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS \
                   (SELECT 1 FROM users WHERE pool = ?1 AND sub = ?4 AND status <> 'EXTERNAL_PROVIDER') \
                   ON CONFLICT DO NOTHING";
        for alias in Alias::ALL {
            if let Some(key) = alias.key(attributes) {
                on.execute(sql, &[Value::from(&*self.pool), alias.as_str().into(), (&key).into(), subject.into()])?;
            }
        }
        // The address that is the name changes with the attribute.
        if let Some(key) = attributes.get("email").and_then(|email| Alias::Email.canonical(email)) {
            let sql = "UPDATE aliases SET value_key = ?3 WHERE pool = ?1 AND sub = ?2 AND kind = ?4 AND NOT EXISTS \
                       (SELECT 1 FROM aliases WHERE pool = ?1 AND kind = ?4 AND value_key = ?3)";
            on.execute(sql, &[Value::from(&*self.pool), subject.into(), (&key).into(), SIGN_IN.into()])?;
        }
        Ok(())
    }
}

/// Whom a name leads to, and the place of that in the order. Every name is looked up, also if an earlier one has found somebody.
macro_rules! called {
    () => {
        "SELECT 0 AS place, sub FROM users WHERE pool = ?1 AND username_key = ?2 \
         UNION ALL SELECT 1, sub FROM aliases WHERE pool = ?1 AND kind = 'sign_in' AND value_key = ?3 \
         UNION ALL SELECT 2, sub FROM aliases WHERE pool = ?1 AND kind = 'email' AND value_key = ?4 \
         UNION ALL SELECT 3, sub FROM aliases WHERE pool = ?1 AND kind = 'phone_number' AND value_key = ?5 \
         UNION ALL SELECT 4, sub FROM aliases WHERE pool = ?1 AND kind = 'preferred_username' AND value_key = ?6"
    };
}

const CALLED: &str = concat!(called!(), " ORDER BY place");

/// The first of them.
pub(super) const SIGNING_IN: &str =
    concat!("WHERE pool = ?1 AND sub = (SELECT sub FROM (", called!(), ") AS found ORDER BY place LIMIT 1)");

#[cfg(test)]
mod tests;

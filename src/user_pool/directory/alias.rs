//! Names other than the user name by which a user signs in (pool §2.2). Each belongs to one user.

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::user_pool::directory::attribute::{Attributes, is_email};
use crate::user_pool::directory::name::UserName;
use crate::user_pool::directory::record::{Record, Records};
use crate::user_pool::directory::settings::{Alias, Settings, Usernames};

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

    /// What a user name looks like that could be an alias of another user.
    pub(crate) fn alias_like(&self, name: &UserName) -> Option<Alias> {
        self.aliases.iter().copied().find(|alias| match alias {
            Alias::Email => is_email(name.as_str()),
            Alias::PhoneNumber => phone(name.as_str()).is_some(),
            Alias::PreferredUsername => false,
        })
    }

    /// The first alias of these attributes that is another user's in this pool, with that user.
    pub(crate) fn taken_alias(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        attributes: &Attributes,
        subject: &str,
    ) -> Result<Option<(Alias, String)>, Error> {
        for alias in Alias::ALL.into_iter().filter(|alias| self.aliases.contains(alias)) {
            let Some(key) = alias.key(attributes) else { continue };
            // Nobody can be called as another user is.
            let called = UserName::parse(&key).filter(|_| alias == Alias::PreferredUsername);
            if let Some(name) = called
                && let Some(other) = records.named(on, &name)?.filter(|other| other.subject != subject)
            {
                return Ok(Some((alias, other.subject)));
            }
            if let Some(other) = records.owner_of(on, alias.as_str(), &key)?.filter(|owner| owner != subject) {
                return Ok(Some((alias, other)));
            }
        }
        Ok(None)
    }
}

impl Records {
    /// The user who signs in with this name: by user name, else by address or alias. One statement, whoever has it (attacks U-01).
    pub(crate) fn signing_in(&self, on: &mut Transaction<'_>, name: &SignInName) -> Result<Option<Record>, Error> {
        let values = [
            Value::from(&*self.pool),
            name.name.as_str().into(),
            (&name.address).into(),
            (&name.email).into(),
            (&name.phone_number).into(),
            (&name.preferred_username).into(),
        ];
        self.find(on, SIGNING_IN, &values)
    }

    /// Who has this alias.
    fn owner_of(&self, on: &mut Transaction<'_>, kind: &str, key: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT sub FROM aliases WHERE pool = ?1 AND kind = ?2 AND value_key = ?3";
        let row = on.query_one(sql, &[Value::from(&*self.pool), kind.into(), key.into()])?;
        row.map(|mut row| row.text(0)).transpose()
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
        let sql = "INSERT INTO aliases (pool, kind, value_key, sub) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
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

    /// Whether the address is the name of a user other than this one.
    pub(crate) fn is_address_taken(
        &self,
        on: &mut Transaction<'_>,
        address: &str,
        subject: &str,
    ) -> Result<bool, Error> {
        let Some(key) = Alias::Email.canonical(address) else { return Ok(false) };
        Ok(self.owner_of(on, SIGN_IN, &key)?.is_some_and(|owner| owner != subject))
    }
}

/// Every name is looked up, also if an earlier one has found somebody.
pub(super) const SIGNING_IN: &str = "WHERE pool = ?1 AND sub = (SELECT sub FROM (\
     SELECT 0 AS place, sub FROM users WHERE pool = ?1 AND username_key = ?2 \
     UNION ALL SELECT 1, sub FROM aliases WHERE pool = ?1 AND kind = 'sign_in' AND value_key = ?3 \
     UNION ALL SELECT 2, sub FROM aliases WHERE pool = ?1 AND kind = 'email' AND value_key = ?4 \
     UNION ALL SELECT 3, sub FROM aliases WHERE pool = ?1 AND kind = 'phone_number' AND value_key = ?5 \
     UNION ALL SELECT 4, sub FROM aliases WHERE pool = ?1 AND kind = 'preferred_username' AND value_key = ?6) AS found \
     ORDER BY place LIMIT 1)";

#[cfg(test)]
mod tests;

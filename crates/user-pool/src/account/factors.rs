//! What users see and change of their second factors, passkeys and trusted browsers (pool §7).

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::gate::{Fresh, Here, Visitor};
use crate::account::service::{Account, Change};
use crate::clock::Timestamp;
use crate::credential::recovery_code;
use crate::credential::totp::Seed;
use crate::credential::webauthn::Registration;
use crate::database::{Error, Transaction};
use crate::directory::user::User;
use crate::factors::browsers::{self, TrustedBrowser};
use crate::factors::change::{AppSet, Removal, Removed};
use crate::factors::passkeys::{self, ListedPasskey};
use crate::factors::rules::{Stays, second_factors};
use crate::factors::settings::Factor;
use crate::messages::limits::Operation;
use crate::messages::message::Kind;
use crate::secret::Secret;
use crate::signin::passkey::NewPasskey;
use crate::signin::proof::Proof;
use crate::signin::second::Second;

/// What a user has to prove who the user is, apart from the password.
#[derive(Debug, Default)]
pub(crate) struct OwnFactors {
    /// Whether the user can set an app up, or another one.
    pub(crate) offers_app: bool,
    /// When the app was set up.
    pub(crate) app: Option<Own<Timestamp>>,
    pub(crate) offers_passkeys: bool,
    /// The oldest first.
    pub(crate) passkeys: Vec<Own<ListedPasskey>>,
    /// How many are left. `None`: there is nothing that they could take the place of.
    pub(crate) recovery_codes: Option<i64>,
    /// Verified addresses that get codes, the strongest first.
    pub(crate) addresses: Vec<String>,
    /// Those that still count, the last used first.
    pub(crate) browsers: Vec<TrustedBrowser>,
}

/// Something that the user has, and why it stays, if the user cannot remove it.
#[derive(Debug)]
pub(crate) struct Own<T> {
    pub(crate) what: T,
    pub(crate) stays: Option<Stays>,
}

/// What became of an app.
#[derive(Debug)]
pub(crate) enum NewApp {
    /// It is set up, in the place of another one or not. The recovery codes are new; there are none if the user had some.
    Set { is_another: bool, codes: Vec<Secret<String>> },
    /// The code is wrong.
    Wrong,
    /// The pool has no apps.
    NotOffered,
}

/// Whether the page that sets an app up may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    /// The app has this secret already.
    InUse,
    /// The pool has no apps.
    NotOffered,
}

/// Which trusted browsers.
#[derive(Clone, Debug)]
pub(crate) enum Forgotten {
    All,
    /// The one with this [`id`](TrustedBrowser::id).
    One(String),
}

impl OwnFactors {
    fn read(on: &mut Transaction<'_>, second: &Second, user: &User, now: Timestamp) -> Result<Self, Error> {
        let (settings, owned) = (&second.settings, second.factors.of(on, user.subject())?);
        let stays = |removal: Removal| removal.refused(user, &owned, settings);
        let addresses = second_factors(user, &owned, settings).into_iter().filter_map(Factor::address);
        let passkey =
            |passkey: &ListedPasskey| Own { what: passkey.clone(), stays: stays(Removal::Passkey(passkey.id.clone())) };
        Ok(Self {
            offers_app: settings.factors.contains(&Factor::Totp),
            app: owned.app_since.map(|since| Own { what: since, stays: stays(Removal::App) }),
            offers_passkeys: second.relying_party.is_some(),
            passkeys: owned.passkeys.iter().map(passkey).collect(),
            recovery_codes: (!owned.factors.is_empty()).then_some(owned.recovery_codes),
            addresses: addresses.filter_map(|address| user.verified(address)).map(str::to_owned).collect(),
            browsers: owned.trusted_browsers.into_iter().filter(|own| own.counts(user.fingerprint(), now)).collect(),
        })
    }
}

impl Account {
    /// What the user has set up. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn factors(&self, who: &Visitor) -> Result<Option<OwnFactors>, Error> {
        let (second, now, declared) = (self.second(), self.now(), Arc::clone(who.shared_user()));
        self.read(who, move |on, here| match second {
            Some(second) => OwnFactors::read(on, &second, &of(here, declared), now),
            None => Ok(OwnFactors::default()),
        })
        .await
    }

    /// Whether a page with this secret for an app may be shown. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn may_show_app(&self, who: &Visitor, seed: &Seed) -> Result<Option<Shown>, Error> {
        let second = self.second().filter(|second| second.settings.factors.contains(&Factor::Totp));
        let (Some(second), seed) = (second, seed.clone()) else { return Ok(Some(Shown::NotOffered)) };
        self.read(who, move |on, here| {
            let is_in_use = second.factors.totp(on, here.subject())?.is_some_and(|own| own == seed);
            Ok(if is_in_use { Shown::InUse } else { Shown::Yes })
        })
        .await
    }

    /// Sets an app up, or another one in the place of the one of before. `typed` is a code that the app shows.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn set_app(
        &self,
        who: &Fresh,
        (seed, typed): (&Seed, &str),
        client: IpAddr,
    ) -> Result<Change<NewApp>, Error> {
        if let Err(wait) = self.admit(Operation::ChangeFactors, who, client) {
            return Ok(Change::TooMany(wait));
        }
        let second = self.second().filter(|second| second.settings.factors.contains(&Factor::Totp));
        let Some(second) = second else { return Ok(Change::Made(NewApp::NotOffered)) };
        let now = self.now();
        let Some(step) = seed.step_of(typed, now) else { return Ok(Change::Made(NewApp::Wrong)) };
        let (codes, seed) = (recovery_code::make(), seed.clone());
        self.change_factors(who, move |on, user| {
            let set = second.factors.set_app(on, user, (&seed, step), &recovery_code::hashes(&codes), now)?;
            second.tell(on, Kind::FactorAdded, user.subject(), now)?;
            let set = match set {
                AppSet::Replaced => NewApp::Set { is_another: true, codes: Vec::new() },
                AppSet::New { has_codes } => {
                    NewApp::Set { is_another: false, codes: if has_codes { codes } else { Vec::new() } }
                }
            };
            Ok((set, Some(Proof::Totp)))
        })
        .await
    }

    /// Adds the passkey that has answered.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn add_passkey(
        &self,
        who: &Fresh,
        (answer, registration): (&str, &Registration),
        client: IpAddr,
    ) -> Result<Change<NewPasskey>, Error> {
        if let Err(wait) = self.admit(Operation::ChangeFactors, who, client) {
            return Ok(Change::TooMany(wait));
        }
        let Some(second) = self.second() else { return Ok(Change::Over) };
        let verified = self.sign_in.verify_new_passkey(answer, registration);
        let Some(verified) = verified else { return Ok(Change::Made(NewPasskey::Refused)) };
        let now = self.now();
        self.change_factors(who, move |on, user| {
            let added = verified.add(on, &second, user.subject(), now)?;
            let proof = if let NewPasskey::Added(proof, _) = &added { Some(*proof) } else { None };
            Ok((added, proof))
        })
        .await
    }

    /// Removes a factor, if the user can do without it.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn remove_factor(
        &self,
        who: &Fresh,
        what: Removal,
        client: IpAddr,
    ) -> Result<Change<Removed>, Error> {
        if let Err(wait) = self.admit(Operation::ChangeFactors, who, client) {
            return Ok(Change::TooMany(wait));
        }
        let (Some(second), now) = (self.second(), self.now()) else { return Ok(Change::Made(Removed::NotThere)) };
        self.change_factors(who, move |on, user| {
            let removed = second.factors.remove(on, user, (&what, &second.settings), now)?;
            if removed == Removed::Yes {
                second.tell(on, Kind::FactorRemoved, user.subject(), now)?;
            }
            Ok((removed, None))
        })
        .await
    }

    /// Makes other recovery codes; the former ones count no more. There are none if the user has nothing that they could take the place of.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn renew_codes(&self, who: &Fresh, client: IpAddr) -> Result<Change<Vec<Secret<String>>>, Error> {
        if let Err(wait) = self.admit(Operation::ChangeFactors, who, client) {
            return Ok(Change::TooMany(wait));
        }
        let (Some(second), now) = (self.second(), self.now()) else { return Ok(Change::Made(Vec::new())) };
        let codes = recovery_code::make();
        self.change_factors(who, move |on, user| {
            if !second.factors.renew_recovery_codes(on, user, &recovery_code::hashes(&codes), now)? {
                return Ok((Vec::new(), None));
            }
            second.tell(on, Kind::FactorAdded, user.subject(), now)?;
            Ok((codes, None))
        })
        .await
    }

    /// Sets what the user calls a passkey. `false` if the user has no such passkey. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn name_passkey(&self, who: &Fresh, id: &str, typed: &str) -> Result<Option<bool>, Error> {
        let (pool, id, typed) = (Arc::clone(&self.stored.records.pool), id.to_owned(), typed.to_owned());
        self.change(who, move |on, here| passkeys::name(on, &pool, here.subject(), &id, &typed)).await
    }

    /// Forgets trusted browsers: the next sign-in in them asks for a second factor. `false` if there is no such browser. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn forget_browsers(&self, who: &Fresh, which: Forgotten) -> Result<Option<bool>, Error> {
        let pool = Arc::clone(&self.stored.records.pool);
        self.change(who, move |on, here| match which {
            Forgotten::All => Ok(browsers::forget_all(on, &pool, here.subject())? > 0),
            Forgotten::One(id) => browsers::forget_one(on, &pool, here.subject(), &id),
        })
        .await
    }

    fn second(&self) -> Option<Second> {
        self.sign_in.second().cloned()
    }

    /// Changes the factors of the user as the user is in this moment. What `work` says that the user has proved by it, the session has proved, too: it goes on
    /// where a sign-in would ask for the new factor.
    async fn change_factors<T: Send + 'static>(
        &self,
        who: &Fresh,
        work: impl FnOnce(&mut Transaction<'_>, &User) -> Result<(T, Option<Proof>), Error> + Send + 'static,
    ) -> Result<Change<T>, Error> {
        let (sessions, session) = (self.sessions.clone(), who.visitor().session().clone());
        let declared = Arc::clone(who.visitor().shared_user());
        self.change(who, move |on, here| {
            let (done, proof) = work(on, &of(here, declared))?;
            if let Some(proof) = proof {
                sessions.prove(on, &session, proof)?;
            }
            Ok(done)
        })
        .await
        .map(Change::from)
    }
}

/// The user in this transaction. A user of the configuration is what it was.
fn of(here: &Here, declared: Arc<User>) -> Arc<User> {
    here.record().cloned().and_then(User::stored).map_or(declared, Arc::new)
}

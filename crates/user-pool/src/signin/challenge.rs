//! Proves and sets up second factors.

use std::sync::Arc;

use crate::credential::recovery_code;
use crate::credential::totp::{self, Seed};
use crate::database::{self, Transaction};
use crate::directory::user::User;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::factors::settings::{self, Factor};
use crate::messages::message::Kind;
use crate::risk::{Attempt, Guess, Origin, Refused};
use crate::signin::password::SignIn;
use crate::signin::proof::Level;
use crate::signin::second::{Answer, From, Second, SetUp};
use crate::signin::step::{Facts, Step, UnderWay, step};

impl SignIn {
    /// The user, and what the sign-in asks for next. `None` if the user has another password, is disabled, or does not exist any more.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn next(&self, under_way: &UnderWay) -> Result<Option<(Arc<User>, Step)>, database::Error> {
        let Some(second) = self.second.as_ref().filter(|second| !second.settings.is_off()) else {
            let user = self.user_of(under_way, |_| Ok(())).await?;
            let settings = settings::Settings::default();
            return Ok(user.map(|(user, ())| {
                let facts = Facts::without_store(&user);
                (user, step(&under_way.proofs, None, &facts, &settings))
            }));
        };
        let (factors, subject) = (second.factors.clone(), under_way.subject.clone());
        let found = self.user_of(under_way, move |on| factors.of(on, &subject)).await?;
        Ok(found.map(|(user, owned)| {
            let facts = Facts::of(&user, owned, &second.settings);
            (user, step(&under_way.proofs, under_way.wanted, &facts, &second.settings))
        }))
    }

    /// The levels that users of the pool can prove.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let Some(second) = &self.second else { return vec![Level::One] };
        let settings = &second.settings;
        let asks_for = |factors: &[Factor]| !settings.is_off() && settings.has_one_of(factors);
        let can = |level: &Level| match level {
            Level::One => true,
            // Recovery codes come with an app and with a passkey.
            Level::Two => asks_for(&Factor::ALL),
            Level::Three => asks_for(&[Factor::Totp, Factor::Passkey]),
            Level::Four => asks_for(&[Factor::Passkey]) || settings.passkey_is_first,
        };
        Level::ALL.into_iter().filter(can).collect()
    }

    /// Verifies a one-time password and uses it up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn totp(
        &self,
        under_way: &UnderWay,
        typed: &str,
        from: From<'_>,
    ) -> Result<Answer, database::Error> {
        if !totp::is_code(typed) {
            return Ok(Answer::Wrong);
        }
        let (typed, now) = (typed.to_owned(), self.clock.now());
        self.answer(under_way, from, |second, user| async move {
            let (factors, of) = (second.factors.clone(), user.subject().to_owned());
            let seed = second.database.read(move |on| factors.totp(on, &of)).await?;
            let Some(step) = seed.and_then(|seed| seed.step_of(&typed, now)) else { return Ok(Answer::Wrong) };
            let factors = second.factors.clone();
            second.database.write(move |on| factors.take_totp_step(on, user.subject(), step)).await.map(Answer::of)
        })
        .await
    }

    /// Verifies a recovery code and uses it up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn recovery_code(
        &self,
        under_way: &UnderWay,
        typed: &str,
        from: From<'_>,
    ) -> Result<Answer, database::Error> {
        let Some(hash) = recovery_code::hash(typed) else { return Ok(Answer::Wrong) };
        self.answer(under_way, from, |second, user| async move {
            let factors = second.factors.clone();
            let take = move |on: &mut Transaction<'_>| factors.take_recovery_code(on, user.subject(), &hash);
            second.database.write(take).await.map(Answer::of)
        })
        .await
    }

    /// Counts an answer, and verifies it.
    pub(super) async fn answer<F: Future<Output = Result<Answer, database::Error>>>(
        &self,
        under_way: &UnderWay,
        (address, known): From<'_>,
        verify: impl FnOnce(Second, Arc<User>) -> F,
    ) -> Result<Answer, database::Error> {
        let Some(second) = self.second.clone() else { return Ok(Answer::Over) };
        let Some((user, ())) = self.user_of(under_way, |_| Ok(())).await? else { return Ok(Answer::Over) };
        let known = known.filter(|known| known.is_of(&user));
        let from = Origin { address, browser: known.map(|known| &*known.id) };
        let attempt: Attempt<'_> = match self.risk.begin(user.name(), from, Guess::Code, &self.clock).await {
            Ok(attempt) => attempt,
            Err(Refused::TooMany(wait)) => return Ok(Answer::TooMany(wait)),
            Err(Refused::Busy) => return Ok(Answer::Busy),
        };
        match verify(second, Arc::clone(&user)).await {
            Ok(Answer::Right) => {
                attempt.succeeded();
                Ok(Answer::Right)
            }
            Ok(not_right) => Ok(not_right),
            Err(error) => {
                attempt.not_made();
                Err(error)
            }
        }
    }

    /// Sets up one-time passwords for a user who must have a second factor and has none. `typed` is a code that the app shows.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn set_up_totp(
        &self,
        under_way: &UnderWay,
        seed: &Seed,
        typed: &str,
    ) -> Result<SetUp, database::Error> {
        let now = self.clock.now();
        let Some(step) = seed.step_of(typed, now) else { return Ok(SetUp::Wrong) };
        let Some(second) = &self.second else { return Ok(SetUp::Over) };
        let Some((_, Step::SetUp(_))) = self.next(under_way).await? else { return Ok(SetUp::Over) };
        let codes = recovery_code::make();
        let hashes = recovery_code::hashes(&codes);
        let (factors, subject, seed) = (second.factors.clone(), under_way.subject.clone(), seed.clone());
        let audit = AuditRows { pool: Arc::clone(&factors.pool) };
        let of = second.clone();
        let work = move |on: &mut Transaction<'_>| {
            // Two pages of one sign-in: the second must not replace what the first has set up.
            if of.settings.has_one_of(&factors.of(on, &subject)?.factors) {
                return Ok(SetUp::Over);
            }
            factors.set_totp(on, &subject, (&seed, step), now)?;
            factors.set_recovery_codes(on, &subject, &hashes)?;
            let done = Done { operation: "factor.add", subject: Some(&subject), detail: Some("totp") };
            audit.record(on, &Actor::User, done, now)?;
            of.tell(on, Kind::FactorAdded, &subject, now)?;
            Ok(SetUp::Done(codes))
        };
        second.database.write(work).await
    }

    /// Whether the page that shows these recovery codes may still be loaded.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn are_codes_shown(
        &self,
        under_way: &UnderWay,
        codes: &[String],
    ) -> Result<bool, database::Error> {
        let Some(Second { factors, .. }) = self.second.clone() else { return Ok(false) };
        let Some(hash) = codes.first().and_then(|code| recovery_code::hash(code)) else { return Ok(false) };
        let subject = under_way.subject.clone();
        let found = self.user_of(under_way, move |on| factors.are_codes_shown(on, &subject, &hash)).await?;
        Ok(found.is_some_and(|(_, are_shown)| are_shown))
    }

    /// The user leaves the page that shows these recovery codes. `false` if it was left before: whoever goes back to it in the history of the browser
    /// neither sees the codes nor is signed in by it.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn leave_codes(&self, under_way: &UnderWay, codes: &[String]) -> Result<bool, database::Error> {
        let Some(Second { database, factors, .. }) = self.second.clone() else { return Ok(false) };
        let Some(hash) = codes.first().and_then(|code| recovery_code::hash(code)) else { return Ok(false) };
        let subject = under_way.subject.clone();
        database.write(move |on| factors.leave_codes(on, &subject, &hash)).await
    }

    /// The user of a sign-in, and what `with` reads in the same transaction.
    pub(super) async fn user_of<T: Default + Send + 'static>(
        &self,
        under_way: &UnderWay,
        with: impl FnOnce(&mut Transaction<'_>) -> Result<T, database::Error> + Send + 'static,
    ) -> Result<Option<(Arc<User>, T)>, database::Error> {
        self.directory.user_with(&under_way.subject, &under_way.fingerprint, with).await
    }
}

//! Browsers that users trust.

use std::time::Duration;

use crate::crypto::octets;
use crate::database::{self, Transaction};
use crate::factors::browsers::Trust;
use crate::secret::Secret;
use crate::signin::password::SignIn;
use crate::signin::step::UnderWay;

impl SignIn {
    /// For how long a browser is trusted. `None`: users cannot trust one.
    pub(crate) fn trusts_for(&self) -> Option<Duration> {
        self.second.as_ref()?.settings.trusts_for
    }

    /// Whether the user of a sign-in trusts the browser with this cookie.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn is_trusted(&self, under_way: &UnderWay, cookie: &str) -> Result<bool, database::Error> {
        let Some(second) = self.second.as_ref().filter(|second| second.settings.trusts_for.is_some()) else {
            return Ok(false);
        };
        let (factors, now) = (second.factors.clone(), self.clock.now());
        let (of, cookie) = (under_way.clone(), cookie.to_owned());
        second.database.write(move |on| factors.is_trusted(on, &trust(&of, &cookie), now)).await
    }

    /// Trusts a browser from now on. `agent` is its `User-Agent`, or the beginning of that. Returns the value of its cookie, and for how long.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn trust(
        &self,
        under_way: &UnderWay,
        agent: &str,
    ) -> Result<Option<(Secret<String>, Duration)>, database::Error> {
        let Some(second) = &self.second else { return Ok(None) };
        let Some(lifetime) = second.settings.trusts_for else { return Ok(None) };
        let cookie = Secret::new(octets::token());
        let (factors, now) = (second.factors.clone(), self.clock.now());
        let (of, value, agent) = (under_way.clone(), cookie.clone(), agent.to_owned());
        let trust =
            move |on: &mut Transaction<'_>| factors.trust(on, &trust(&of, value.expose()), (lifetime, &agent), now);
        second.database.write(trust).await?;
        Ok(Some((cookie, lifetime)))
    }
}

fn trust<'a>(of: &'a UnderWay, cookie: &'a str) -> Trust<'a> {
    Trust { subject: &of.subject, fingerprint: &of.fingerprint, cookie }
}

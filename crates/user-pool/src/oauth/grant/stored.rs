//! Codes and refresh tokens of pools with a database: random values, of which the database has the hashes.
//!
//! A code is used once, and its second use revokes what the first gave (RFC 6749 §4.1.2). A refresh token is replaced at each use. The one
//! before is answered with the same next token for a moment, for a client that sent two requests at once or did not get the response. Any
//! other token of a family revokes it (RFC 9700 §4.14.2). All of that survives a restart.

mod codes;
mod families;
mod token;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::{octets, uuid};
use crate::database::{self, Database, Transaction};
use crate::directory::StoredUsers;
use crate::events::event::{Event, Kind, Response, Visit};
use crate::events::event_rows::EventRows;
use crate::issued::Issued;
use crate::oauth::grant::rates::Rates;
use crate::oauth::grant::record::{Fault, Grant, Pending, Presented, Redeemed, Refused, Revoked};
use crate::oauth::lifetimes::{ClientLifetimes, Lifetimes};
use crate::secret::Secret;
use crate::seen::Seen;
use crate::signin::sso::Rows as SessionRows;

use codes::Codes;
use families::{Families, Family, Standing};
use token::Token;

/// How long the refresh token before is answered with the same next one.
const GRACE: Duration = Duration::from_secs(10);

/// Codes and refresh tokens as rows.
#[derive(Debug)]
pub(crate) struct StoredGrants {
    database: Arc<Database>,
    lifetimes: ClientLifetimes,
    rows: Rows,
}

/// What transactions need.
#[derive(Clone, Debug)]
struct Rows {
    codes: Codes,
    families: Families,
    sessions: SessionRows,
    issued: Issued,
    events: EventRows,
    rates: Rates,
}

impl Rows {
    /// Ends a family of which two parties seem to have tokens, and tells the sign-in log.
    fn end_reused(
        &self,
        on: &mut Transaction<'_>,
        (family, grant): (&str, &Grant),
        seen: Seen,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        self.issued.end_family(on, family, now)?;
        let visit = Visit { seen, client: Some(grant.client_id.clone()) };
        self.events.record(on, &Event::new(Some(&grant.subject), (Kind::TokenReuse, Response::Fail), visit, now))
    }
}

/// A refresh token that was read and not used up.
#[derive(Debug)]
pub(crate) struct StoredToken {
    token: Token,
    family: Family,
}

impl StoredToken {
    /// What it is for.
    pub(super) fn grant(&self) -> &Grant {
        &self.family.grant
    }

    /// Whether it was not replaced.
    pub(super) fn is_good(&self) -> bool {
        self.family.standing == Standing::Current
    }

    /// When it expires.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.family.expires_at
    }
}

impl StoredGrants {
    pub(super) fn new(stored: &StoredUsers, lifetimes: ClientLifetimes, rates: Rates) -> Self {
        let pool = Arc::clone(&stored.records.pool);
        let rows = Rows {
            codes: Codes { pool: Arc::clone(&pool) },
            families: Families { pool: Arc::clone(&pool) },
            sessions: SessionRows::new(Arc::clone(&pool)),
            issued: Issued::new(Arc::clone(&pool)),
            events: EventRows { pool },
            rates,
        };
        Self { database: Arc::clone(&stored.database), lifetimes, rows }
    }

    /// Issues a code. `None` if the session has ended.
    pub(super) async fn issue(
        &self,
        pending: Pending,
        now: Timestamp,
    ) -> Result<Option<Secret<String>>, database::Error> {
        let (code, rows) = (Secret::new(octets::token()), self.rows.clone());
        let hash = octets::sha256(code.expose().as_bytes());
        let issued = self.database.write(move |on| {
            let Grant { session_id, client_id, .. } = &pending.grant;
            let is_alive = rows.sessions.take_part(on, session_id, client_id)?;
            if is_alive {
                rows.codes.add(on, &hash, &pending, now)?;
            }
            Ok(is_alive)
        });
        Ok(issued.await?.then_some(code))
    }

    /// What a code is for. It may have expired or been used; it is not used up.
    pub(super) async fn grant_of_code(&self, code: &str) -> Result<Option<Grant>, database::Error> {
        let (hash, rows) = (octets::sha256(code.as_bytes()), self.rows.clone());
        let code = self.database.read(move |on| rows.codes.find(on, &hash)).await?;
        Ok(code.map(|code| code.pending.grant))
    }

    /// Redeems a code. One that is presented with the wrong client, redirect URI or verifier is used up as well, because it was probably stolen.
    pub(super) async fn redeem(
        &self,
        presented: &Presented<'_>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Redeemed, Fault> {
        let (rows, lifetimes) = (self.rows.clone(), self.lifetimes.of(presented.client_id));
        let hash = octets::sha256(presented.code.as_bytes());
        let [client_id, redirect_uri] = [presented.client_id, presented.redirect_uri].map(str::to_owned);
        let code_verifier = presented.code_verifier.map(str::to_owned);
        let (family, token) = (uuid::random(), Token::new());
        let redeemed = self.database.write(move |on| {
            let Some(code) = rows.codes.find(on, &hash)? else { return Ok(Err(Refused::Invalid)) };
            if let Some(family) = &code.family {
                rows.end_reused(on, (family, &code.pending.grant), seen, now)?;
                return Ok(Err(Refused::Reused));
            }
            if code.has_expired(now) {
                return Ok(Err(Refused::Invalid));
            }
            let presented = Presented {
                code: "",
                client_id: &client_id,
                redirect_uri: &redirect_uri,
                code_verifier: code_verifier.as_deref(),
            };
            if !code.pending.fits(&presented) {
                rows.codes.take(on, &hash, &family)?;
                return Ok(Err(Refused::Invalid));
            }
            if let Err(refused) = rows.rates.count(&code.pending.grant, now) {
                return Ok(Err(refused));
            }
            let Pending { grant, nonce, .. } = code.pending;
            rows.codes.take(on, &hash, &family)?;
            rows.families.begin(on, (&family, &token, &grant), lifetimes, &seen, now)?;
            Ok(Ok(Redeemed { grant, nonce, family, refresh_token: token.text() }))
        });
        Ok(redeemed.await??)
    }

    /// Reads a refresh token of this client.
    pub(super) async fn open(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<StoredToken, Fault> {
        let token = Token::parse(token).ok_or(Refused::Invalid)?;
        let rows = self.rows.clone();
        let (token, family) = self
            .database
            .read(move |on| Ok((rows.families.find(on, &token, now)?, token)))
            .await
            .map(|(family, token)| (token, family))?;
        let family = family.filter(|family| family.grant.client_id == client_id);
        let family = family
            .filter(|family| !family.is_over(self.lifetimes.of(client_id).refresh, now))
            .ok_or(Refused::Invalid)?;
        // Checked before the token is used up, so that a client that requested too much can try again.
        if scope.is_some_and(|scope| !scope.split(' ').all(|scope| family.grant.has(scope))) {
            return Err(Refused::Scope.into());
        }
        Ok(StoredToken { token, family })
    }

    /// Uses a refresh token and issues the next one.
    pub(super) async fn refresh(&self, opened: StoredToken, seen: Seen, now: Timestamp) -> Result<Redeemed, Fault> {
        let Lifetimes { access, refresh, .. } = self.lifetimes.of(&opened.family.grant.client_id);
        let (rows, token) = (self.rows.clone(), opened.token);
        let next = token.next();
        let redeemed = self.database.write(move |on| {
            let family = rows.families.find(on, &token, now)?.filter(|family| !family.is_over(refresh, now));
            let Some(family) = family else { return Ok(Err(Refused::Invalid)) };
            if family.standing == Standing::Used {
                rows.end_reused(on, (&family.id, &family.grant), seen, now)?;
                return Ok(Err(Refused::Reused));
            }
            if let Err(refused) = rows.rates.count(&family.grant, now) {
                return Ok(Err(refused));
            }
            let next = match &family.standing {
                Standing::Repeated(sealed) => token.open_next(sealed),
                _ => rows.families.rotate(on, (&token, &next), (access, GRACE), &seen, now)?.then_some(next),
            };
            let Some(next) = next else { return Ok(Err(Refused::Invalid)) };
            Ok(Ok(Redeemed { grant: family.grant, nonce: None, family: family.id, refresh_token: next.text() }))
        });
        Ok(redeemed.await??)
    }

    /// Ends the family of a token, which may have been used or have expired.
    pub(super) async fn revoke(
        &self,
        token: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Revoked, database::Error> {
        let Some(token) = Token::parse(token) else { return Ok(Revoked::Unknown) };
        let (rows, client_id) = (self.rows.clone(), client_id.to_owned());
        let revoked = self.database.write(move |on| match rows.families.find(on, &token, now)? {
            None => Ok(Revoked::Unknown),
            Some(family) if family.grant.client_id != client_id => Ok(Revoked::OfAnother),
            Some(family) => rows.issued.end_family(on, &family.id, now).map(|_| Revoked::Done),
        });
        revoked.await
    }

    /// What limits token requests.
    pub(super) fn rates(&self) -> &Rates {
        &self.rows.rates
    }

    /// What a family is for, if it is in force.
    pub(super) async fn family(&self, id: &str, now: Timestamp) -> Result<Option<Grant>, database::Error> {
        let (rows, id) = (self.rows.clone(), id.to_owned());
        self.database.read(move |on| rows.families.alive(on, &id, now)).await
    }
}

#[cfg(test)]
mod tests;

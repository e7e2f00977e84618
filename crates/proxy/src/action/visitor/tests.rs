//! A second kind of evidence, without a session: what asks a visitor works with it as well.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use super::*;
use crate::action::authorize::Origin;
use crate::action::requirement::{ClaimTest, Requirement, Scalar, Test};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::action::tests::authorized;
use crate::clock::Clock;
use crate::exchange::connection::Connection;
use crate::jose::signing_key::SigningKey;
use crate::message::header::OIDC_IDENTITY;
use crate::page::Text;
use crate::page::link::Link;

pub(in crate::action) const NOW: Timestamp = Timestamp::from_seconds(1_795_507_200);

/// Evidence that tests control.
#[derive(Debug)]
pub(in crate::action) struct Scripted {
    pub(in crate::action) expires_at: Timestamp,
    pub(in crate::action) is_withdrawn: Cell<bool>,
    pub(in crate::action) is_token: Cell<bool>,
    pub(in crate::action) renewed: RefCell<Renewed>,
    /// As of a provider in this process.
    pub(in crate::action) changes: RefCell<Option<watch::Sender<()>>>,
}

impl Scripted {
    /// The evidence is renewed with these claims.
    pub(in crate::action) fn renew(&self, claims: &str) {
        self.renewed.replace(Renewed::Known(Arc::new(identity(claims))));
    }
}

impl Lease for Scripted {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn has_ended(&self, _: Timestamp) -> bool {
        self.is_withdrawn.get()
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        self.changes.borrow().as_ref().map(watch::Sender::subscribe)
    }

    fn renewed(&self) -> Renewed {
        self.renewed.borrow().clone()
    }

    fn is_token(&self) -> bool {
        self.is_token.get()
    }

    fn asked_again_at(&self) -> Option<Timestamp> {
        None
    }
}

#[derive(Debug)]
struct ByMail;

impl Reidentify for ByMail {
    fn provider(&self) -> &str {
        "the mail room"
    }

    fn offer(&self, rejection: Rejection, _: &CanonicalRequest) -> Rejection {
        rejection.offer(Link::here(Text::LinkOtherAccount, "/letter"))
    }

    fn step_up<'a>(
        &'a self,
        _: &'a Demand,
        _: &'a mut Exchange,
        _: &'a CanonicalRequest,
        _: &'a HeaderMap,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Rejection>> + 'a>> {
        Box::pin(async { Err(Reason::AuthStepUpRequired.into()) })
    }
}

fn identity(claims: &str) -> Identity {
    let claims = serde_json::from_str(claims).expect("an object");
    Identity::assertion("https://mail.test".into(), "ada".into(), claims, None)
}

/// A request of this user, for the log.
pub(in crate::action) fn origin(visitor: &Visitor) -> Origin {
    let peer = "192.0.2.66:4711".parse().expect("an address");
    let connection = Rc::new(Connection::new(peer, "public".into(), Arc::default(), None));
    Origin::of(&Exchange::begin(connection, Clock::manual(NOW).0.instant(), NOW), Some(visitor))
}

/// A user whom evidence identified that no `authenticate-*` action knows.
pub(in crate::action) fn visitor(claims: &str) -> (Rc<Visitor>, Rc<Scripted>) {
    let lease = Rc::new(Scripted {
        expires_at: NOW + Duration::from_secs(60),
        is_withdrawn: Cell::default(),
        is_token: Cell::default(),
        renewed: RefCell::new(Renewed::No),
        changes: RefCell::default(),
    });
    let identity = identity(claims);
    let headers = ClaimsHeaders::new(claims::settings::Settings {
        signer: "arn:vestibule:test".into(),
        format: claims::settings::Format::Jwt,
        signing_key: SigningKey::from_pem(&SigningKey::generate_pem()).expect("reads back"),
        other_keys: Vec::new(),
        access_token_header: false,
        claim_headers: Vec::new(),
        header_bytes_max: 32 * 1024,
    });
    let visitor = Visitor::new(VisitorParts {
        claimed: Some(Claimed { prepared: headers.prepare(&identity, "client"), headers: Arc::new(headers) }),
        identity: Arc::new(identity),
        origins: Origins::SameHostAnd(Arc::default()),
        lease: Rc::clone(&lease) as Rc<dyn Lease>,
        reidentify: Arc::new(ByMail),
    });
    (Rc::new(visitor), lease)
}

#[tokio::test]
async fn authorize_asks_a_visitor_whatever_identified_them() {
    let test = Test::Equals(vec![Scalar::Text("sre".into())]);
    let settings = AuthorizeSettings {
        requirement: Some(Requirement::Claim(ClaimTest { path: vec!["team".into()], test })),
        demand: Demand { acr: vec!["stamped".into()], ..Demand::default() },
        mode: AuthorizeMode::Enforce,
        reveal: false,
        contact: None,
    };
    let ask = |claims| authorized(claims, settings.clone());
    assert_eq!(ask(r#"{"team": "sre", "acr": "stamped"}"#).await.expect("a member"), StatusCode::OK);
    let rejection = ask(r#"{"team": "sales", "acr": "stamped"}"#).await.expect_err("not a member");
    assert_eq!(rejection.reason, Reason::AuthNotAllowed);
    let notes: Vec<_> = rejection.notes().iter().map(|note| note.english()).collect();
    assert_eq!(notes, ["You are signed in as ada with the mail room."]);
    let links: Vec<_> = rejection.links().iter().map(|link| &*link.href).collect();
    assert_eq!(links, ["/letter", ""], "and the ways on are those of the evidence");
    let rejection = ask(r#"{"team": "sre"}"#).await.expect_err("too weak");
    assert_eq!(rejection.reason, Reason::AuthStepUpRequired, "the evidence knows how it becomes stronger");
}

#[test]
fn a_target_is_told_of_a_visitor_whatever_identified_them() {
    let mut fields = OwnFields::with_room();
    visitor("{}").0.apply(&"app".into(), NOW, &mut fields).expect("signs");
    let told = fields.iter().find(|(name, _)| **name == OIDC_IDENTITY).map(|(_, value)| value.as_bytes());
    assert_eq!(told, Some(&b"ada"[..]));
}

#[test]
fn a_lease_is_over_when_it_expires_or_is_withdrawn() {
    let (visitor, scripted) = visitor("{}");
    let lease = visitor.lease();
    assert!(!lease.is_over(NOW));
    assert!(lease.is_over(scripted.expires_at));
    scripted.is_withdrawn.set(true);
    assert!(lease.is_over(NOW));
}

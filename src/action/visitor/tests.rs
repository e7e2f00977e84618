//! A second kind of evidence, without a session: what asks a visitor works with it as well.

use std::cell::Cell;

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Value, json};

use super::*;
use crate::action::authorize::{Authorize, Owner};
use crate::action::passage::Passage;
use crate::action::requirement::{ClaimTest, Requirement, Scalar, Test};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::exchange::connection::Connection;
use crate::jose::signing_key::SigningKey;
use crate::message::header::OIDC_IDENTITY;
use crate::message::uri::Scheme;
use crate::page::Text;
use crate::page::link::Link;
use crate::telemetry::line_budget::LineBudget;
use crate::telemetry::metrics::Registry;

pub(in crate::action) const NOW: Timestamp = Timestamp::from_seconds(1_795_507_200);

/// Evidence that tests control.
#[derive(Debug)]
pub(in crate::action) struct Scripted {
    pub(in crate::action) expires_at: Timestamp,
    pub(in crate::action) is_withdrawn: Cell<bool>,
}

impl Lease for Scripted {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn has_ended(&self, _: Timestamp) -> bool {
        self.is_withdrawn.get()
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
}

/// A user whom evidence identified that no `authenticate-*` action knows.
pub(in crate::action) fn visitor(claims: Value) -> (Rc<Visitor>, Rc<Scripted>) {
    let lease =
        Rc::new(Scripted { expires_at: NOW + std::time::Duration::from_secs(60), is_withdrawn: Cell::default() });
    let Value::Object(claims) = claims else { panic!("an object") };
    let identity = Identity::assertion("https://mail.test".into(), "ada".into(), claims, None);
    let headers = ClaimsHeaders::new(claims::settings::Settings {
        signer: "arn:vestibule:test".into(),
        format: claims::settings::Format::Jwt,
        signing_key: SigningKey::from_pem(&SigningKey::generate_pem()).expect("reads back"),
        other_keys: Vec::new(),
        access_token_header: false,
        claim_headers: Vec::new(),
        header_bytes_max: 32 * 1024,
    });
    let visitor = Visitor::new(Parts {
        prepared: headers.prepare(&identity, "client"),
        identity: Arc::new(identity),
        claims: Arc::new(headers),
        allowed_origins: Arc::default(),
        lease: Rc::clone(&lease) as Rc<dyn Lease>,
        reidentify: Arc::new(ByMail),
    });
    (Rc::new(visitor), lease)
}

fn authorize() -> Authorize {
    let requirement = Requirement::Claim(ClaimTest {
        path: vec!["team".into()],
        test: Test::Equals(vec![Scalar::Text("sre".into())]),
    });
    let settings = AuthorizeSettings { requirement, mode: AuthorizeMode::Enforce, reveal: false, contact: None };
    Authorize::new(settings, &Owner { listener: "public", rule: "app" }, &Registry::default())
}

fn admit(visitor: Rc<Visitor>) -> Result<Passage, Rejection> {
    let peer = "192.0.2.66:4711".parse().expect("an address");
    let connection = Rc::new(Connection::new(peer, "public".into(), Arc::default(), None));
    let clock = Clock::manual(NOW).0;
    let exchange = Exchange::begin(connection, clock.instant(), clock.now());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("app.test"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    let uri = Uri::from_static("/page");
    let canonical = CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers).expect("plain");
    authorize().admit(&LineBudget::default(), &exchange, &canonical, Passage::Identified(visitor))
}

#[test]
fn authorize_asks_a_visitor_whatever_identified_them() {
    let passage = admit(visitor(json!({"team": "sre"})).0).expect("a member");
    assert_eq!(passage.visitor().map(|visitor| &**visitor.subject()), Some("ada"));
    let rejection = admit(visitor(json!({"team": "sales"})).0).expect_err("not a member");
    assert_eq!(rejection.reason, Reason::AuthNotAllowed);
    let notes: Vec<_> = rejection.notes().iter().map(|note| note.english()).collect();
    assert_eq!(notes, ["You are signed in as ada with the mail room."]);
    let links: Vec<_> = rejection.links().iter().map(|link| &*link.href).collect();
    assert_eq!(links, ["/letter", ""], "and the ways on are those of the evidence");
}

#[test]
fn a_target_is_told_of_a_visitor_whatever_identified_them() {
    let mut fields = OwnFields::with_room();
    visitor(json!({})).0.apply(&"app".into(), NOW, &mut fields).expect("signs");
    let told = fields.iter().find(|(name, _)| **name == OIDC_IDENTITY).map(|(_, value)| value.as_bytes());
    assert_eq!(told, Some(&b"ada"[..]));
}

#[test]
fn a_lease_is_over_when_it_expires_or_is_withdrawn() {
    let (visitor, scripted) = visitor(json!({}));
    let lease = visitor.lease();
    assert!(!lease.is_over(NOW));
    assert!(lease.is_over(scripted.expires_at));
    scripted.is_withdrawn.set(true);
    assert!(lease.is_over(NOW));
}

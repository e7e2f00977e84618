//! Sessions that the provider, a user pool of this process, has ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::fixture::{Browser, Fixture, ISSUER, START, settings};
use crate::action::authenticate::gate::Authenticate;
use crate::action::settings::{AuthenticateSettings, OnUnauthenticated};
use crate::exchange::rejection::Reason;
use crate::identity::endings::{Ended, Ending, Endings};

/// A fixture whose provider is in this process, and a gate of it.
fn fixture() -> (Fixture, Arc<Authenticate>, Arc<Endings>) {
    let fixture = Fixture::new();
    let endings = Arc::new(Endings::default());
    fixture.services.memory.endings.enter(ISSUER, &endings);
    let gate = fixture.gate(settings());
    (fixture, gate, endings)
}

async fn signed_in(fixture: &Fixture, auth_time: u64, sid: &str) -> Browser {
    fixture.provider.change(|script| script.claims = json!({ "auth_time": auth_time, "sid": sid }));
    let mut browser = Browser::default();
    browser.sign_in(fixture).await;
    browser
}

fn end(endings: &Endings, ended: Ended<'_>, before: u64) {
    endings.publish([Ending { ended, before, until: START + Duration::from_secs(86_400) }], START);
}

#[tokio::test]
async fn a_session_that_the_pool_has_ended_is_refused_at_every_worker() {
    let (fixture, gate, endings) = fixture();
    let now = START.seconds();
    let browser = signed_in(&fixture, now, "one").await;
    for worker in [0, 1] {
        fixture.send_to(&gate, worker, browser.fetch("https://app.test/")).await.user();
    }
    end(&endings, Ended::User("somebody"), now + 1);
    fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await.user();
    end(&endings, Ended::User("alice"), now + 1);
    for worker in [0, 0, 1, 2] {
        let reply = fixture.send_to(&gate, worker, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSessionEnded), "0 and 1 have it opened, 2 opens it");
        assert!(reply.cookies.is_empty(), "it still says that it is over");
    }
    let reply = fixture.send_to(&gate, 0, browser.navigation("https://app.test/")).await;
    assert!(reply.location().starts_with("https://idp.test/"), "a navigation signs in anew");
    // Signed in again in the same second: the pool has given it a later time.
    let again = signed_in(&fixture, now + 1, "two").await;
    for worker in [0, 1] {
        fixture.send_to(&gate, worker, again.fetch("https://app.test/")).await.user();
    }
}

#[tokio::test]
async fn one_session_of_the_pool_ends_alone() {
    let (fixture, gate, endings) = fixture();
    let now = START.seconds();
    let (one, other) = (signed_in(&fixture, now, "one").await, signed_in(&fixture, now, "other").await);
    end(&endings, Ended::Session("one"), 0);
    let reply = fixture.send_to(&gate, 0, one.fetch("https://app.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionEnded));
    fixture.send_to(&gate, 0, other.fetch("https://app.test/")).await.user();
}

#[tokio::test]
async fn where_nobody_has_to_sign_in_who_was_signed_out_is_nobody() {
    let (fixture, _, endings) = fixture();
    let allow = AuthenticateSettings { on_unauthenticated: OnUnauthenticated::Allow, ..settings() };
    let gate = fixture.gate(allow);
    let browser = signed_in(&fixture, START.seconds(), "one").await;
    end(&endings, Ended::Session("one"), 0);
    let reply = fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await;
    assert!(reply.anonymous && reply.subject.is_none());
    assert!(reply.cookies.iter().any(|line| line.ends_with("Max-Age=0")), "the cookie is of no use any more");
}

#[tokio::test]
async fn a_refresh_makes_no_ended_session_younger() {
    let (fixture, gate, endings) = fixture();
    let now = START.seconds();
    let browser = signed_in(&fixture, now, "one").await;
    fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await.user();
    fixture.provider.change(|script| script.claims = json!({ "auth_time": now + 3000, "sid": "one" }));
    fixture.clock.advance(Duration::from_secs(3000));
    let renewed = fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await;
    renewed.user();
    let mut renewed_browser = browser.clone();
    renewed_browser.keep(&renewed);
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
    end(&endings, Ended::User("alice"), now + 1);
    for browser in [&browser, &renewed_browser] {
        let reply = fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSessionEnded));
    }
}

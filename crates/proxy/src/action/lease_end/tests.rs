use std::future::poll_fn;

use tokio::time::Instant;

use super::*;
use crate::action::authorize::Owner;
use crate::action::demand::Demand;
use crate::action::requirement::{ClaimTest, Requirement, Scalar, Test};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::action::visitor::tests::{NOW, Scripted, origin, visitor};
use crate::telemetry::metrics::Registry;

/// What `authorize` of these tests requires: a group, and a sign-in that is strong and recent.
fn authorize(mode: AuthorizeMode, registry: &Registry) -> Arc<[Arc<Authorize>]> {
    let test = Test::Contains(vec![Scalar::Text("sre".into())]);
    let settings = AuthorizeSettings {
        requirement: Some(Requirement::Claim(ClaimTest { path: vec!["groups".into()], test })),
        demand: Demand { max_age: Some(Duration::from_secs(3600)), acr: vec!["phr".into()], contact: None },
        mode,
        reveal: false,
        contact: None,
    };
    [Arc::new(Authorize::new(settings, &Owner { listener: "public", rule: "app" }, registry))].into()
}

fn watch(authorize: Arc<[Arc<Authorize>]>) -> (Watch, Rc<Scripted>) {
    let (visitor, lease) = visitor("{}");
    let watch = Watch {
        lease: Some(Rc::clone(visitor.lease())),
        connection: Rc::new(Connection::new(([192, 0, 2, 1], 1).into(), "public".into(), Arc::default(), None)),
        authorize,
        origin: origin(&visitor),
        reported: Rc::default(),
        clock: Clock::manual(NOW).0,
    };
    (watch, lease)
}

/// How often an `authorize` has decided so.
fn decided(registry: &Registry, outcome: &str) -> u64 {
    let series = format!(r#"_decisions_total{{listener="public",rule="app",outcome="{outcome}"}} "#);
    let rendered = registry.render();
    let (_, value) = rendered.split_once(&series).expect("the series");
    value.lines().next().and_then(|value| value.parse().ok()).expect("a number")
}

/// How a watch ends when a renewal brings these claims. `None`: it goes on.
async fn after_renewal(authorize: Arc<[Arc<Authorize>]>, claims: &'static str) -> Option<LeaseOver> {
    let (watch, lease) = watch(authorize);
    lease.renew(claims);
    tokio::time::timeout(10 * BEAT, watch.over()).await.ok()
}

/// Sends a byte each time that `pause` is over, and never ends.
struct Drip(Option<Pin<Box<tokio::time::Sleep>>>);

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(pause) = &mut self.0 {
            std::task::ready!(pause.as_mut().poll(cx));
            let next = pause.deadline() + Duration::from_secs(1);
            pause.as_mut().reset(next);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[tokio::test(start_paused = true)]
async fn w_03_a_body_ends_with_the_evidence_for_its_user() {
    let (watch, lease) = watch(Arc::default());
    let drip = Drip(Some(Box::pin(tokio::time::sleep(Duration::from_secs(1)))));
    let mut body = until(watch.over(), Body::streaming(drip));
    let begin = Instant::now();
    let error = loop {
        let frame = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.expect("no end");
        match frame {
            Ok(_) => {
                assert!(begin.elapsed() < Duration::from_secs(60), "the body goes on");
                lease.is_withdrawn.set(begin.elapsed() >= Duration::from_secs(17));
            }
            Err(error) => break error,
        }
    };
    let over = error.downcast_ref::<LeaseOver>().expect("the end of the lease");
    assert_eq!(over.reason(), Reason::SessionEnded);
    assert_eq!(begin.elapsed().as_secs(), 20, "the first beat after the end");
    assert!(body.is_empty(), "the connection to the target is closed");
}

#[tokio::test(start_paused = true)]
async fn w_03_a_body_that_never_waits_ends_as_well() {
    let (watch, lease) = watch(Arc::default());
    lease.is_withdrawn.set(true);
    let mut body = until(watch.over(), Body::streaming(Drip(None)));
    for _ in 0..2 * FRAMES_UNWATCHED {
        let frame = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.expect("no end");
        frame.expect("the watch has just begun");
    }
    // A client that reads slowly.
    tokio::time::sleep(2 * BEAT).await;
    let frame = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.expect("no end");
    assert!(frame.expect_err("it ends").is::<LeaseOver>());
}

#[tokio::test(start_paused = true)]
async fn w_03_what_a_pool_ends_is_closed_at_once() {
    for before_it_waits in [true, false] {
        let (watch, lease) = watch(Arc::default());
        lease.is_withdrawn.set(before_it_waits);
        let changes = watch::Sender::new(());
        lease.changes.replace(Some(changes.clone()));
        let begin = Instant::now();
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            lease.is_withdrawn.set(true);
            changes.send_replace(());
        };
        let (over, ()) = tokio::join!(watch.over(), end);
        assert_eq!(over.reason(), Reason::SessionEnded);
        assert!(begin.elapsed() < Duration::from_millis(200), "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_06_what_lasts_ends_with_the_reason_for_which_it_could_not_begin() {
    let registry = Registry::default();
    let authorize = authorize(AuthorizeMode::Enforce, &registry);
    for (claims, reason) in [
        (r#"{"groups": ["staff", "sre"], "acr": "phr"}"#, None),
        // The sign-in was recent when the request began.
        (r#"{"groups": ["sre"], "acr": "phr", "auth_time": 1}"#, None),
        (r#"{"groups": ["staff"], "acr": "phr"}"#, Some(Reason::AuthNotAllowed)),
        (r#"{"acr": "phr"}"#, Some(Reason::AuthNotAllowed)),
        (r#"{"hasgroups": true, "acr": "phr"}"#, Some(Reason::AuthGroupsOverage)),
        (r#"{"groups": ["sre"], "acr": "pwd"}"#, Some(Reason::AuthStepUpRequired)),
        (r#"{"groups": ["sre"]}"#, Some(Reason::AuthStepUpRequired)),
    ] {
        let over = after_renewal(Arc::clone(&authorize), claims).await;
        assert_eq!(over.map(|over| over.reason()), reason, "{claims}");
    }
    assert_eq!(["refused", "step_up", "allowed"].map(|outcome| decided(&registry, outcome)), [3, 2, 0]);
}

/// The reasons of tokens are for programs.
#[tokio::test(start_paused = true)]
async fn a_06_what_lasts_by_a_token_ends_with_a_reason_of_tokens() {
    let authorize = authorize(AuthorizeMode::Enforce, &Registry::default());
    for (claims, reason) in [
        (r#"{"groups": ["staff"], "acr": "phr"}"#, Reason::BearerNotAllowed),
        (r#"{"hasgroups": true, "acr": "phr"}"#, Reason::BearerGroupsOverage),
        (r#"{"groups": ["sre"], "acr": "pwd"}"#, Reason::BearerStepUpRequired),
    ] {
        let (watch, lease) = watch(Arc::clone(&authorize));
        lease.is_token.set(true);
        lease.renew(claims);
        let over = tokio::time::timeout(10 * BEAT, watch.over()).await.expect("it ends");
        assert_eq!(over.reason(), reason, "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_06_a_report_counts_each_renewal_once_and_ends_nothing() {
    let registry = Registry::default();
    let authorize = authorize(AuthorizeMode::Report, &registry);
    let (watch, lease) = watch(authorize);
    let mut over = std::pin::pin!(watch.over());
    for (claims, reported) in [("{}", 1), (r#"{"groups": ["sre"], "acr": "phr"}"#, 1), ("{}", 2)] {
        lease.renew(claims);
        assert!(tokio::time::timeout(10 * BEAT, over.as_mut()).await.is_err(), "it goes on");
        assert_eq!(decided(&registry, "reported"), reported, "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_06_claims_that_were_missed_are_not_enough_where_some_are_required() {
    let registry = Registry::default();
    for (authorize, expected) in [
        (authorize(AuthorizeMode::Enforce, &registry), Some(Reason::SessionEnded)),
        (authorize(AuthorizeMode::Report, &registry), None),
        (Arc::default(), None),
    ] {
        let (watch, lease) = watch(authorize);
        lease.renewed.replace(Renewed::Missed);
        let over = tokio::time::timeout(10 * BEAT, watch.over()).await.ok();
        assert_eq!(over.map(|over| over.reason()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_before_its_evidence_is_whole() {
    let (watch, _lease) = watch(Arc::default());
    let body = until(watch.over(), Body::full("hello"));
    assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
    assert_eq!(body.whole(5).await.expect("whole"), "hello");
}

//! The attempts of a recorded request.

use http::Method;

use super::http2::{Peer, request, with_client};
use super::*;
use crate::message::trace_context::TraceParent;
use crate::telemetry::traces::attempts::{Attempt, Attempts, Outcome};

async fn send(client: &GroupClient, attempts: &Attempts) {
    let mut from_client = request(Method::GET, Body::empty());
    let (target, mut fields) = (PathAndQuery::from_static("/"), OwnFields::default());
    fields.add(header::HOST, HeaderValue::from_static("app.test"));
    let request = Request {
        from_client: &mut from_client,
        scheme: Scheme::Https,
        target: &target,
        fields: &fields,
        upgrade: None,
        accepts_trailers: false,
        attempts: Some(attempts),
    };
    client.send(request).await.expect("an answer");
}

#[tokio::test]
async fn a_target_that_uses_http_2_is_told_of_the_attempt_at_it() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    with_client(
        |settings| settings.targets.push(at(Place::Address { address: nobody, name: None })),
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::accept(&played.listener).await;
                let mut told = Vec::new();
                for _ in 0..2 {
                    let asked = peer.next().await;
                    told.push(TraceParent::of(asked.request.headers()).expect("one that is valid"));
                    asked.answer("ok");
                }
                told
            };
            let user = async {
                let mut made: Vec<Vec<Attempt>> = Vec::new();
                // Each target is the first of one of them.
                for _ in 0..2 {
                    let attempts = Attempts::of(7);
                    send(&client, &attempts).await;
                    made.push(attempts.take());
                }
                made
            };
            let (told, made) = tokio::join!(target, user);
            for (told, made) in told.iter().zip(&made) {
                let last = made.last().expect("an attempt");
                assert_eq!((told.trace_id, told.parent_id, told.flags), (7, last.span, 1));
                assert!(last.is_http2 && !last.is_tls && &*last.target_group == "app", "{last:?}");
                assert_eq!(last.outcome, Outcome::Answered { status: 200 });
            }
            let failed: Vec<_> = made.iter().flat_map(|made| &made[..made.len() - 1]).collect();
            let [failed] = failed[..] else { panic!("{made:?}") };
            assert!(matches!(failed.outcome, Outcome::Failed { why: "upstream.unreachable", .. }), "{failed:?}");
            assert_eq!(&*failed.target, nobody.to_string());
        },
    )
    .await;
}

//! The spans of questions about opaque tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Collector, of_kind, with};
use crate::harness::browser::{Protocol, on_both};
use crate::introspection::{self, Opaque};

const ACTION: &str = "      - { type: jwt-validation, provider: corp, validation: introspection, audience: [api] }\n";

/// The spans of a proxy that is stopped.
fn recorded(mut opaque: Opaque, collector: Collector) -> Vec<Value> {
    assert!(opaque.proxy.shutdown());
    collector.spans()
}

#[test]
fn a_question_about_a_token_is_a_span_below_the_exchange_that_needed_it() {
    on_both(|protocol| {
        let collector = Collector::start(&["grpc"]);
        let opaque = Opaque::start_as(ACTION, |setup| with(setup.rules(" []"), &collector.traces("grpc", "")));
        opaque.say("opaque-secret", &json!({}));
        let mut client = opaque.client(protocol);
        for _ in 0..3 {
            assert_eq!(introspection::with(&mut client, "opaque-secret").status, 200);
        }
        assert_eq!(introspection::with(&mut client, "unknown-secret").status, 401);
        let port = url::Url::parse(&opaque.provider.issuer()).expect("a URL").port();
        let spans = recorded(opaque, collector);
        let calls: Vec<_> = spans.iter().filter(|span| span["name"] == "POST introspection").collect();
        // The answer is used again: one for each token.
        assert_eq!(calls.len(), 2, "{spans:#?}");
        let mut answered = Vec::new();
        for call in calls {
            assert_eq!((&call["kind"], &call["is_error"]), (&json!("CLIENT"), &json!(false)), "{call}");
            let attributes = &call["attributes"];
            assert_eq!(
                (&attributes["http.request.method"], &attributes["http.response.status_code"]),
                (&json!("POST"), &json!(200)),
                "{call}"
            );
            assert_eq!((&attributes["vestibule.provider"], &attributes["server.port"]), (&json!("corp"), &json!(port)));
            let cause = spans.iter().find(|span| span["span"] == call["parent"]).expect("the exchange");
            assert_eq!((&cause["kind"], &cause["trace"]), (&json!("SERVER"), &call["trace"]));
            answered.push(cause["attributes"]["http.response.status_code"].as_u64());
        }
        answered.sort_unstable();
        assert_eq!(answered, [Some(200), Some(401)]);
        assert_eq!(of_kind(&spans, "SERVER").len(), 4);
        let all = Value::Array(spans).to_string();
        for secret in ["opaque-secret", "unknown-secret", "alice"] {
            assert!(!all.contains(secret), "{secret}");
        }
    });
}

#[test]
fn a_question_that_fails_is_an_error_of_the_call_and_of_the_exchange() {
    let collector = Collector::start(&["http"]);
    let opaque = Opaque::start_as(ACTION, |setup| with(setup.rules(" []"), &collector.traces("http/protobuf", "")));
    opaque.answer_as("token", "503 Service Unavailable\n");
    assert_eq!(introspection::with(&mut opaque.client(Protocol::Http2), "token").status, 503);
    let spans = recorded(opaque, collector);
    let call = spans.iter().find(|span| span["name"] == "POST introspection").expect("a call");
    assert_eq!((&call["is_error"], &call["attributes"]["error.type"]), (&json!(true), &json!("503")), "{call}");
    let [exchange] = of_kind(&spans, "SERVER")[..] else { panic!("{spans:#?}") };
    assert_eq!(exchange["attributes"]["error.type"], "bearer.introspection_unavailable", "{exchange}");
    assert_eq!((&exchange["span"], &exchange["is_error"]), (&call["parent"], &json!(true)));
}

#[test]
fn without_a_recorded_exchange_a_question_is_no_span() {
    let collector = Collector::start(&["grpc"]);
    let traces = collector.traces("grpc", "").replace("ratio: 1 ", "ratio: 0 ");
    let opaque = Opaque::start_as(ACTION, |setup| with(setup.rules(" []"), &traces));
    opaque.say("token", &json!({}));
    let mut client = opaque.client(Protocol::Http1);
    assert_eq!(introspection::with(&mut client, "token").status, 200);
    opaque.proxy.clock.advance(Duration::from_secs(120));
    assert_eq!(introspection::with(&mut client, "token").status, 200);
    assert_eq!(opaque.provider.requests("/introspect").len(), 2);
    assert_eq!(recorded(opaque, collector), Vec::<Value>::new(), "the exchanges are not recorded");
}

//! Calls to the introspection endpoint: one for one token, in time, and not while the provider hangs.

use std::time::Duration;

use serde_json::json;

use super::scripted::{DISCOVERY, Fixture, Reply, fixture_with, metadata};
use crate::oidc::introspection::digest::digest;
use crate::oidc::introspection::fairness::Asker;
use crate::oidc::introspection::outcome::{Found, IntrospectionError, Outcome};
use crate::oidc::settings::ClientAuth;

const INTROSPECT: &str = "/introspect";

fn fixture() -> Fixture {
    let fixture = fixture_with(|settings| settings.introspects = true);
    let mut metadata = metadata();
    metadata["introspection_endpoint"] = "https://issuer.test/introspect".into();
    fixture.on(DISCOVERY, Reply::ok(metadata));
    fixture.on(INTROSPECT, Reply::ok(json!({"active": true, "token_type": "Bearer", "sub": "alice"})));
    fixture
}

impl Fixture {
    fn look(&self, token: &str) -> Found {
        let now = self.clock.now();
        let asker = Asker::Client("192.0.2.1".parse().expect("an address"));
        #[expect(clippy::disallowed_methods, reason = "the control runtime of the test")]
        self.client.introspection(token, &digest(token), (asker, now), |call| drop(tokio::spawn(call)))
    }

    async fn introspected(&self, token: &str) -> Outcome {
        match self.look(token) {
            Found::Known(outcome) => outcome,
            Found::UnderWay(flight) => flight.landed().await.expect("it lands"),
            Found::Busy => panic!("busy"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_for_all_who_ask_at_once() {
    let fixture = fixture();
    let asking = (0..20).map(|_| fixture.introspected("token"));
    for outcome in futures_util::future::join_all(asking).await {
        assert!(matches!(outcome, Outcome::Active(_)), "{outcome:?}");
    }
    assert_eq!(fixture.calls(INTROSPECT).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_not_waited_for_longer_than_the_timeout_and_then_not_asked() {
    let fixture = fixture();
    assert!(matches!(fixture.introspected("known").await, Outcome::Active(_)));
    fixture.on(INTROSPECT, Reply::Hang);
    for token in ["one", "two", "three"] {
        let began = tokio::time::Instant::now();
        let Outcome::Failed(error) = fixture.introspected(token).await else { panic!("it cannot be known") };
        assert!(matches!(&*error, IntrospectionError::Unreachable(_)), "{error:?}");
        assert!(began.elapsed() <= Duration::from_millis(210));
    }
    let Outcome::Failed(error) = fixture.introspected("four").await else { panic!("it cannot be known") };
    assert!(matches!(&*error, IntrospectionError::Unreachable(crate::backchannel::call::Error::CircuitOpen)));
    assert_eq!(fixture.calls(INTROSPECT).len(), 4);
    // What is known is still used, and a probe without a token closes the breaker.
    assert!(matches!(fixture.introspected("known").await, Outcome::Active(_)));
    fixture.on(INTROSPECT, Reply::status(401));
    assert!(fixture.client.probe(crate::oidc::caller::Endpoint::Introspection).await);
    let probe = fixture.calls(INTROSPECT).pop().expect("a probe");
    assert_eq!((probe.field("token").as_deref(), probe.header(http::header::AUTHORIZATION)), (Some(""), None));
}

#[tokio::test(start_paused = true)]
async fn few_calls_are_made_at_a_time_and_the_others_wait_for_them() {
    let fixture = fixture();
    fixture.introspected("first").await;
    fixture.on(INTROSPECT, Reply::Hang);
    let asking = (0..200).map(|number| {
        let found = fixture.look(&format!("token-{number}"));
        async move {
            let Found::UnderWay(flight) = found else { panic!("{found:?}") };
            flight.landed().await.expect("it lands")
        }
    });
    let outcomes = futures_util::future::join_all(asking.collect::<Vec<_>>()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))));
    // Those that waited were not sent after the breaker opened.
    assert!(fixture.calls(INTROSPECT).len() <= 40, "{}", fixture.calls(INTROSPECT).len());
}

#[tokio::test]
async fn the_endpoint_and_the_method_of_the_configuration_come_first() {
    let given = "https://elsewhere.test/introspect";
    let fixture = fixture_with(|settings| settings.endpoints.introspection = Some(given.parse().expect("a URL")));
    let mut with_methods = metadata();
    with_methods["introspection_endpoint"] = "https://issuer.test/introspect".into();
    with_methods["introspection_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    fixture.on(DISCOVERY, Reply::ok(with_methods));
    let (url, method) = fixture.client.provider.introspection_endpoint().await.expect("an endpoint");
    assert_eq!((url.as_str(), method), (given, ClientAuth::ClientSecretPost));

    // Without metadata, too.
    let alone = fixture_with(|settings| {
        settings.endpoints.introspection = Some(given.parse().expect("a URL"));
        settings.token_endpoint_auth_method = Some(ClientAuth::ClientSecretBasic);
    });
    alone.on(DISCOVERY, Reply::status(404));
    let (url, method) = alone.client.provider.introspection_endpoint().await.expect("an endpoint");
    assert_eq!((url.as_str(), method), (given, ClientAuth::ClientSecretBasic));
    assert_eq!(alone.calls(DISCOVERY).len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_may_not_be_called_takes_no_sign_in_away() {
    let fixture = fixture_with(|settings| settings.introspects = true);
    for forbidden in
        ["http://issuer.test/introspect", "https://169.254.169.254/introspect", "https://127.0.0.1/introspect"]
    {
        let mut metadata = metadata();
        metadata["introspection_endpoint"] = forbidden.into();
        fixture.on(DISCOVERY, Reply::ok(metadata));
        let metadata = fixture.client.provider.metadata_now().await.expect("the rest is usable");
        assert!(metadata.introspection_endpoint.is_none(), "{forbidden}");
        let warnings = fixture.client.mismatches(&metadata);
        assert!(warnings.iter().any(|warning| warning.contains("introspection_endpoint")), "{warnings:?}");
    }
}

#[tokio::test]
async fn check_online_asks_about_a_token_that_nobody_has() {
    let fixture = fixture();
    let said = |survey: &crate::oidc::survey::Survey| survey.to_string();
    fixture.on(INTROSPECT, Reply::ok(json!({"active": false})));
    let survey = fixture.client.survey().await;
    assert!(said(&survey).contains("ok      introspection: the provider says of a made-up token"), "{survey}");
    for (reply, expected) in [
        (
            Reply::ok(json!({"active": true})),
            "error   introspection: the provider says of a made-up token that it is active",
        ),
        (
            Reply::error(401, "invalid_client"),
            "error   introspection: the introspection endpoint answered 401 Unauthorized: check",
        ),
        (Reply::html(), "error   introspection: the answer of the introspection endpoint is not usable"),
    ] {
        fixture.on(INTROSPECT, reply);
        let survey = fixture.client.survey().await;
        assert!(said(&survey).contains(expected), "{survey}");
        assert!(survey.is_wrong());
    }
}

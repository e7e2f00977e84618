use std::time::Duration;

use serde_json::json;
use url::Url;

use super::scripted::*;
use crate::backchannel::error::Error as CallError;
use crate::oidc::error::{Error, FetchError};

async fn refused(world: &World) -> FetchError {
    match world.client.begin(login_request()).await {
        Err(Error::ProviderUnavailable(error)) => error,
        other => panic!("not refused for its metadata: {other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_login() {
    let world = world();
    assert!(world.calls(DISCOVERY).is_empty());
    world.begin().await;
    world.begin().await;
    assert_eq!(world.calls(DISCOVERY).len(), 1);
    assert!(world.calls(JWKS).is_empty());
}

#[tokio::test]
async fn o_01_metadata_of_another_issuer_is_refused() {
    for issuer in ["https://issuer.test/", "https://evil.test", "https://ISSUER.test", "http://issuer.test", ""] {
        let world = world();
        let mut metadata = metadata();
        metadata["issuer"] = json!(issuer);
        world.on(DISCOVERY, Reply::ok(metadata));
        assert!(matches!(refused(&world).await, FetchError::Issuer), "{issuer}");
    }
    let world = world();
    let twice = metadata().to_string().replacen('{', r#"{"issuer":"https://evil.test","#, 1);
    world.on(DISCOVERY, Reply::Raw(http::StatusCode::OK, "application/json", twice.into()));
    assert!(matches!(refused(&world).await, FetchError::Content(_)));
}

#[tokio::test]
async fn o_02_metadata_that_leads_elsewhere_is_refused() {
    let addresses = [
        "http://issuer.test/x",
        "file:///etc/passwd",
        "ftp://issuer.test/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://0.0.0.0/x",
        "https://localhost/x",
        "https://127.0.0.1:9090/x",
        "http://127.0.0.1:9090/x",
        "https://[::1]/x",
        "https://user:password@issuer.test/x",
        "https://issuer.test/x#fragment",
    ];
    let names = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"];
    for name in names {
        for address in addresses {
            let world = world();
            let mut metadata = metadata();
            metadata[name] = json!(address);
            world.on(DISCOVERY, Reply::ok(metadata));
            let error = refused(&world).await;
            assert!(matches!(error, FetchError::Endpoint(found) if found == name), "{name} {address}: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_issuer_on_this_machine_has_its_endpoints_there() {
    let issuer = "http://localhost:9000";
    let world = world_with(|settings| settings.issuer = issuer.into());
    let text = metadata().to_string().replace(ISSUER, issuer);
    world.on(DISCOVERY, Reply::ok(serde_json::from_str(&text).expect("JSON")));
    assert!(world.begin().await.location.starts_with("http://localhost:9000/authorize?"));

    let outside = text.replace("http://localhost:9000/token", "http://issuer.test/token");
    let world = world_with(|settings| settings.issuer = issuer.into());
    world.on(DISCOVERY, Reply::ok(serde_json::from_str(&outside).expect("JSON")));
    assert!(matches!(refused(&world).await, FetchError::Endpoint("token_endpoint")));
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_document_below_it() {
    for issuer in ["https://issuer.test/realms/a", "https://issuer.test/realms/a/"] {
        let world = world_with(|settings| settings.issuer = issuer.into());
        let mut metadata = metadata();
        metadata["issuer"] = json!(issuer);
        world.on("/realms/a/.well-known/openid-configuration", Reply::ok(metadata));
        world.begin().await;
    }
}

#[tokio::test]
async fn o_a_provider_in_trouble_is_told_apart() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(Reply, Check); 7] = [
        (Reply::Refuse, |error| matches!(error, FetchError::Call(CallError::Connect(_)))),
        (Reply::Hang, |error| matches!(error, FetchError::Call(CallError::Timeout))),
        (Reply::status(503), |error| matches!(error, FetchError::Status(_))),
        (Reply::status(302), |error| matches!(error, FetchError::Status(_))),
        (Reply::html(), |error| matches!(error, FetchError::Content(_))),
        (Reply::ok(json!([])), |error| matches!(error, FetchError::Issuer)),
        (Reply::ok(json!({"issuer": ISSUER})), |error| matches!(error, FetchError::Content(_))),
    ];
    for (reply, check) in cases {
        let world = world();
        world.on(DISCOVERY, reply);
        let error = refused(&world).await;
        assert!(check(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_dead_provider_is_left_alone_for_longer_and_longer() {
    let world = world();
    world.on(DISCOVERY, Reply::Refuse);
    let mut calls = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert!(!matches!(refused(&world).await, FetchError::BackingOff));
        calls += 1;
        assert!(matches!(refused(&world).await, FetchError::BackingOff));
        world.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert!(matches!(refused(&world).await, FetchError::BackingOff), "{pause}");
        assert_eq!(world.calls(DISCOVERY).len(), calls);
        world.clock.advance(Duration::from_millis(1));
    }
    world.on(DISCOVERY, Reply::ok(metadata()));
    world.begin().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_the_pause() {
    let world = world();
    world.on(DISCOVERY, Reply::Refuse);
    refused(&world).await;
    world.clock.rewind(Duration::from_secs(24 * 3600));
    world.on(DISCOVERY, Reply::ok(metadata()));
    world.begin().await;
}

#[tokio::test]
async fn logins_at_once_cause_one_discovery() {
    let world = world();
    let _ = tokio::join!(world.begin(), world.begin(), world.begin());
    assert_eq!(world.calls(DISCOVERY).len(), 1);
    let world = self::world();
    world.on(DISCOVERY, Reply::Refuse);
    let failed = tokio::join!(refused(&world), refused(&world), refused(&world));
    assert_eq!(world.calls(DISCOVERY).len(), 1, "{failed:?}");
}

#[tokio::test]
async fn metadata_is_fetched_anew_after_an_hour_and_kept_when_it_turns_bad() {
    let world = world();
    world.begin().await;
    world.clock.advance(Duration::from_secs(3600) - Duration::from_millis(1));
    world.begin().await;
    assert_eq!(world.calls(DISCOVERY).len(), 1);
    world.clock.advance(Duration::from_millis(1));
    let mut lying = metadata();
    lying["issuer"] = json!("https://evil.test");
    world.on(DISCOVERY, Reply::ok(lying));
    world.begin().await;
    world.begin().await;
    assert_eq!(world.calls(DISCOVERY).len(), 2);
    world.clock.advance(Duration::from_secs(1));
    let mut moved = metadata();
    moved["authorization_endpoint"] = json!("https://issuer.test/new");
    world.on(DISCOVERY, Reply::ok(moved));
    assert!(world.begin().await.location.starts_with("https://issuer.test/new?"));
}

#[tokio::test]
async fn a_configured_endpoint_stands_instead_of_the_discovered() {
    let world = world_with(|settings| {
        settings.endpoints.authorization = Some(Url::parse("https://other.test/authorize").expect("a URL"));
    });
    assert!(world.begin().await.location.starts_with("https://other.test/authorize?"));
    world.login().await;
}

#[tokio::test]
async fn with_all_endpoints_configured_nothing_is_discovered() {
    let url = |path: &str| Some(Url::parse(&format!("{ISSUER}{path}")).expect("a URL"));
    let world = world_with(|settings| {
        settings.endpoints.authorization = url("/authorize");
        settings.endpoints.token = url(TOKEN);
        settings.endpoints.jwks = url(JWKS);
    });
    world.on(DISCOVERY, Reply::Refuse);
    let login = world.login().await;
    assert_eq!(login.identity.subject(), "alice");
    assert!(world.calls(DISCOVERY).is_empty());
    assert!(world.calls(USERINFO).is_empty(), "no userinfo endpoint is known");
}

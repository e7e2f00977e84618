use std::time::Duration;

use serde_json::json;
use url::Url;

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::oidc::error::{Error, FetchError, FetchFault};

async fn refused(world: &World) -> FetchError {
    match world.client.begin(login_request()).await {
        Err(Error::ProviderUnavailable(error)) => error,
        other => panic!("not refused for its metadata: {other:?}"),
    }
}

/// Why the metadata that was asked for just now was refused.
async fn fault(world: &World) -> FetchFault {
    match refused(world).await {
        FetchError::Failed(fetch) => fetch.cause,
        FetchError::BackingOff => panic!("not asked"),
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
        assert!(matches!(fault(&world).await, FetchFault::Issuer(_)), "{issuer}");
    }
    let world = world();
    let twice = metadata().to_string().replacen('{', r#"{"issuer":"https://evil.test","#, 1);
    world.on(DISCOVERY, Reply::Raw(http::StatusCode::OK, "application/json", twice.into()));
    assert!(matches!(fault(&world).await, FetchFault::Content(_)));
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
    let names = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"];
    for name in names {
        for address in addresses {
            let world = world();
            let mut metadata = metadata();
            metadata[name] = json!(address);
            world.on(DISCOVERY, Reply::ok(metadata));
            let error = fault(&world).await;
            assert!(
                matches!(error, FetchFault::Endpoint { name: found, .. } if found == name),
                "{name} {address}: {error:?}"
            );
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
    assert!(matches!(fault(&world).await, FetchFault::Endpoint { name: "token_endpoint", .. }));
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
    type Check = fn(&FetchFault) -> bool;
    let cases: [(Reply, Check); 7] = [
        (Reply::Refuse, |error| matches!(error, FetchFault::Call(CallError::Connect(_)))),
        (Reply::Hang, |error| matches!(error, FetchFault::Call(CallError::Timeout))),
        (Reply::status(503), |error| matches!(error, FetchFault::Status(_))),
        (Reply::status(302), |error| matches!(error, FetchFault::Status(_))),
        (Reply::html(), |error| matches!(error, FetchFault::Content(_))),
        (Reply::ok(json!([])), |error| matches!(error, FetchFault::Content(_))),
        (Reply::ok(json!({"issuer": ISSUER})), |error| matches!(error, FetchFault::Content(_))),
    ];
    for (reply, check) in cases {
        let world = world();
        world.on(DISCOVERY, reply);
        let error = fault(&world).await;
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

#[tokio::test]
async fn members_that_are_not_used_may_be_absent_or_odd() {
    let minimal = || {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://issuer.test/authorize",
            "token_endpoint": "https://issuer.test/token",
            "jwks_uri": "https://issuer.test/jwks",
        })
    };
    let world = world();
    world.on(DISCOVERY, Reply::ok(minimal()));
    world.login().await;
    for (name, value) in [
        ("userinfo_endpoint", json!("")),
        ("userinfo_endpoint", json!(null)),
        ("end_session_endpoint", json!("")),
        ("end_session_endpoint", json!("/relative")),
        ("end_session_endpoint", json!("http://issuer.test/logout")),
        ("end_session_endpoint", json!(["https://issuer.test/logout"])),
        ("registration_endpoint", json!("not a URL")),
        ("subject_types_supported", json!("public")),
        ("response_types_supported", json!(null)),
        ("id_token_signing_alg_values_supported", json!(7)),
        ("token_endpoint_auth_methods_supported", json!("client_secret_post")),
        ("scopes_supported", json!([1, 2])),
        ("claims_supported", json!({})),
        ("authorization_response_iss_parameter_supported", json!("false")),
        ("authorization_response_iss_parameter_supported", json!("")),
        ("code_challenge_methods_supported", json!(["plain"])),
    ] {
        let world = self::world();
        let mut document = minimal();
        document[name] = value.clone();
        world.on(DISCOVERY, Reply::ok(document));
        world.login_with(|_| {}).await.unwrap_or_else(|error| panic!("{name}: {value}: {error:?}"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_metadata_is_named() {
    let at = "discovery at https://issuer.test/.well-known/openid-configuration";
    let cases = [
        (
            "issuer",
            json!("https://issuer.test/"),
            r#"says issuer "https://issuer.test/", the file says "https://issuer.test""#,
        ),
        ("issuer", json!(null), r#"says issuer nothing, the file says "https://issuer.test""#),
        ("token_endpoint", json!(null), "is not usable: its member `token_endpoint` is missing"),
        ("jwks_uri", json!(""), "is not usable: its member `jwks_uri` is missing"),
        ("authorization_endpoint", json!({}), "is not usable: its member `authorization_endpoint` is not text"),
        (
            "token_endpoint",
            json!("/token"),
            r#"says `token_endpoint` is "/token", which is not called: it is not a URL"#,
        ),
        (
            "jwks_uri",
            json!("http://issuer.test/jwks"),
            "says `jwks_uri` is \"http://issuer.test/jwks\", which is not called: it is not https (`insecure_http_hosts` can \
             allow http)",
        ),
    ];
    for (name, value, expected) in cases {
        let world = world();
        let mut document = metadata();
        document[name] = value;
        world.on(DISCOVERY, Reply::ok(document));
        assert_eq!(refused(&world).await.to_string(), format!("{at} {expected}"));
    }
    let world = world();
    world.on(DISCOVERY, Reply::html());
    let expected = format!("{at} is not usable: it is not a JSON object (it begins with a tag, as an HTML page does)");
    assert_eq!(refused(&world).await.to_string(), expected);
    world.on(DISCOVERY, Reply::status(404));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(&world).await.to_string(), format!("{at} answered 404 Not Found"));
}

#[tokio::test]
async fn plain_http_is_for_hosts_that_the_operator_names() {
    let inside = |host: &str| {
        let mut document = metadata();
        for (name, path) in [("token_endpoint", "token"), ("jwks_uri", "jwks"), ("userinfo_endpoint", "userinfo")] {
            document[name] = json!(format!("http://{host}/{path}"));
        }
        document
    };
    let named = |settings: &mut crate::oidc::settings::Settings| {
        settings.insecure_http_hosts = vec!["keycloak:8080".into()];
        settings.endpoints.discovery = Url::parse("http://keycloak:8080/realms/a/metadata").ok();
    };
    let world = world_with(named);
    world.on("/realms/a/metadata", Reply::ok(inside("keycloak:8080")));
    let login = world.login().await;
    assert_eq!(login.identity.issuer(), ISSUER, "the issuer stays the public one");
    assert!(world.begin().await.location.starts_with("https://issuer.test/authorize?"));
    for host in ["keycloak", "keycloak:8081", "other:8080", "127.0.0.1:8080", "keycloak.evil.test:8080"] {
        let world = world_with(named);
        world.on("/realms/a/metadata", Reply::ok(inside(host)));
        assert!(matches!(fault(&world).await, FetchFault::Endpoint { .. }), "{host}");
    }
}

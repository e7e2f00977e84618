use std::time::Duration;

use serde_json::json;
use url::Url;

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::oidc::error::{Error, FetchError, FetchFault};

async fn refused(fixture: &Fixture) -> FetchError {
    match fixture.client.begin(login_request()).await {
        Err(Error::ProviderUnavailable(error)) => error,
        other => panic!("not refused for its metadata: {other:?}"),
    }
}

/// Why the metadata that was asked for just now was refused.
async fn fault(fixture: &Fixture) -> FetchFault {
    match refused(fixture).await {
        FetchError::Failed(fetch) => fetch.cause,
        FetchError::BackingOff => panic!("not asked"),
    }
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_login() {
    let fixture = fixture();
    assert!(fixture.calls(DISCOVERY).is_empty());
    fixture.begin().await;
    fixture.begin().await;
    assert_eq!(fixture.calls(DISCOVERY).len(), 1);
    assert!(fixture.calls(JWKS).is_empty());
}

#[tokio::test]
async fn o_01_metadata_of_another_issuer_is_refused() {
    for issuer in ["https://issuer.test/", "https://evil.test", "https://ISSUER.test", "http://issuer.test", ""] {
        let fixture = fixture();
        let mut metadata = metadata();
        metadata["issuer"] = json!(issuer);
        fixture.on(DISCOVERY, Reply::ok(metadata));
        assert!(matches!(fault(&fixture).await, FetchFault::Issuer(_)), "{issuer}");
    }
    let fixture = fixture();
    let twice = metadata().to_string().replacen('{', r#"{"issuer":"https://evil.test","#, 1);
    fixture.on(DISCOVERY, Reply::Raw(http::StatusCode::OK, "application/json", twice.into()));
    assert!(matches!(fault(&fixture).await, FetchFault::Content(_)));
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
            let fixture = fixture();
            let mut metadata = metadata();
            metadata[name] = json!(address);
            fixture.on(DISCOVERY, Reply::ok(metadata));
            let error = fault(&fixture).await;
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
    let fixture = fixture_with(|settings| settings.issuer = issuer.into());
    let text = metadata().to_string().replace(ISSUER, issuer);
    fixture.on(DISCOVERY, Reply::ok(serde_json::from_str(&text).expect("JSON")));
    assert!(fixture.begin().await.location.starts_with("http://localhost:9000/authorize?"));

    let outside = text.replace("http://localhost:9000/token", "http://issuer.test/token");
    let fixture = fixture_with(|settings| settings.issuer = issuer.into());
    fixture.on(DISCOVERY, Reply::ok(serde_json::from_str(&outside).expect("JSON")));
    assert!(matches!(fault(&fixture).await, FetchFault::Endpoint { name: "token_endpoint", .. }));
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_document_below_it() {
    for issuer in ["https://issuer.test/realms/a", "https://issuer.test/realms/a/"] {
        let fixture = fixture_with(|settings| settings.issuer = issuer.into());
        let mut metadata = metadata();
        metadata["issuer"] = json!(issuer);
        fixture.on("/realms/a/.well-known/openid-configuration", Reply::ok(metadata));
        fixture.begin().await;
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
        let fixture = fixture();
        fixture.on(DISCOVERY, reply);
        let error = fault(&fixture).await;
        assert!(check(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_dead_provider_is_left_alone_for_longer_and_longer() {
    let fixture = fixture();
    fixture.on(DISCOVERY, Reply::Refuse);
    let mut calls = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert!(!matches!(refused(&fixture).await, FetchError::BackingOff));
        calls += 1;
        assert!(matches!(refused(&fixture).await, FetchError::BackingOff));
        fixture.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert!(matches!(refused(&fixture).await, FetchError::BackingOff), "{pause}");
        assert_eq!(fixture.calls(DISCOVERY).len(), calls);
        fixture.clock.advance(Duration::from_millis(1));
    }
    fixture.on(DISCOVERY, Reply::ok(metadata()));
    fixture.begin().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_the_pause() {
    let fixture = fixture();
    fixture.on(DISCOVERY, Reply::Refuse);
    refused(&fixture).await;
    fixture.clock.rewind(Duration::from_secs(24 * 3600));
    fixture.on(DISCOVERY, Reply::ok(metadata()));
    fixture.begin().await;
}

#[tokio::test]
async fn logins_at_once_cause_one_discovery() {
    let fixture = fixture();
    let _ = tokio::join!(fixture.begin(), fixture.begin(), fixture.begin());
    assert_eq!(fixture.calls(DISCOVERY).len(), 1);
    let fixture = self::fixture();
    fixture.on(DISCOVERY, Reply::Refuse);
    let failed = tokio::join!(refused(&fixture), refused(&fixture), refused(&fixture));
    assert_eq!(fixture.calls(DISCOVERY).len(), 1, "{failed:?}");
}

#[tokio::test]
async fn metadata_is_fetched_anew_after_an_hour_and_kept_when_it_turns_bad() {
    let fixture = fixture();
    fixture.begin().await;
    fixture.clock.advance(Duration::from_secs(3600) - Duration::from_millis(1));
    fixture.begin().await;
    assert_eq!(fixture.calls(DISCOVERY).len(), 1);
    fixture.clock.advance(Duration::from_millis(1));
    let mut lying = metadata();
    lying["issuer"] = json!("https://evil.test");
    fixture.on(DISCOVERY, Reply::ok(lying));
    fixture.begin().await;
    fixture.begin().await;
    assert_eq!(fixture.calls(DISCOVERY).len(), 2);
    fixture.clock.advance(Duration::from_secs(1));
    let mut moved = metadata();
    moved["authorization_endpoint"] = json!("https://issuer.test/new");
    fixture.on(DISCOVERY, Reply::ok(moved));
    assert!(fixture.begin().await.location.starts_with("https://issuer.test/new?"));
}

#[tokio::test]
async fn a_configured_endpoint_stands_instead_of_the_discovered() {
    let fixture = fixture_with(|settings| {
        settings.endpoints.authorization = Some(Url::parse("https://other.test/authorize").expect("a URL"));
    });
    assert!(fixture.begin().await.location.starts_with("https://other.test/authorize?"));
    fixture.login().await;
}

#[tokio::test]
async fn with_all_endpoints_configured_nothing_is_discovered() {
    let url = |path: &str| Some(Url::parse(&format!("{ISSUER}{path}")).expect("a URL"));
    let fixture = fixture_with(|settings| {
        settings.endpoints.authorization = url("/authorize");
        settings.endpoints.token = url(TOKEN);
        settings.endpoints.jwks = url(JWKS);
    });
    fixture.on(DISCOVERY, Reply::Refuse);
    let login = fixture.login().await;
    assert_eq!(login.identity.subject(), "alice");
    assert!(fixture.calls(DISCOVERY).is_empty());
    assert!(fixture.calls(USERINFO).is_empty(), "no userinfo endpoint is known");
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
    let fixture = fixture();
    fixture.on(DISCOVERY, Reply::ok(minimal()));
    fixture.login().await;
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
        let fixture = self::fixture();
        let mut document = minimal();
        document[name] = value.clone();
        fixture.on(DISCOVERY, Reply::ok(document));
        fixture.login_with(|_| {}).await.unwrap_or_else(|error| panic!("{name}: {value}: {error:?}"));
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
        let fixture = fixture();
        let mut document = metadata();
        document[name] = value;
        fixture.on(DISCOVERY, Reply::ok(document));
        assert_eq!(refused(&fixture).await.to_string(), format!("{at} {expected}"));
    }
    let fixture = fixture();
    fixture.on(DISCOVERY, Reply::html());
    let expected = format!("{at} is not usable: it is not a JSON object (it begins with a tag, as an HTML page does)");
    assert_eq!(refused(&fixture).await.to_string(), expected);
    fixture.on(DISCOVERY, Reply::status(404));
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(refused(&fixture).await.to_string(), format!("{at} answered 404 Not Found"));
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
    let fixture = fixture_with(named);
    fixture.on("/realms/a/metadata", Reply::ok(inside("keycloak:8080")));
    let login = fixture.login().await;
    assert_eq!(login.identity.issuer(), ISSUER, "the issuer stays the public one");
    assert!(fixture.begin().await.location.starts_with("https://issuer.test/authorize?"));
    for host in ["keycloak", "keycloak:8081", "other:8080", "127.0.0.1:8080", "keycloak.evil.test:8080"] {
        let fixture = fixture_with(named);
        fixture.on("/realms/a/metadata", Reply::ok(inside(host)));
        assert!(matches!(fault(&fixture).await, FetchFault::Endpoint { .. }), "{host}");
    }
}

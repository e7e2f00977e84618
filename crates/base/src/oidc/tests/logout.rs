use serde_json::json;
use url::Url;

use super::scripted::*;
use crate::oidc::LogoutRequest;
use crate::oidc::settings::Logout;
use crate::secret::Secret;

fn request(id_token: Option<&str>) -> LogoutRequest {
    LogoutRequest {
        id_token: id_token.map(|token| Secret::new(token.to_owned())),
        post_logout_redirect_uri: "https://app.test/bye?x=1".into(),
        state: Some("s t".into()),
    }
}

#[tokio::test]
async fn rp_initiated_logout_names_session_client_and_return() {
    let fixture = fixture();
    let location = fixture.client.logout_location(request(Some("a.b.c"))).await;
    let expected = "https://issuer.test/logout?id_token_hint=a.b.c&client_id=dashboard\
                    &post_logout_redirect_uri=https%3A%2F%2Fapp.test%2Fbye%3Fx%3D1&state=s%20t";
    assert_eq!(location.as_deref(), Some(expected));
    let without = LogoutRequest { state: None, ..request(None) };
    let expected = "https://issuer.test/logout?client_id=dashboard\
                    &post_logout_redirect_uri=https%3A%2F%2Fapp.test%2Fbye%3Fx%3D1";
    assert_eq!(fixture.client.logout_location(without).await.as_deref(), Some(expected));
}

#[tokio::test]
async fn v_09_a_hint_that_is_too_long_is_left_out() {
    let fixture = fixture();
    let location = fixture.client.logout_location(request(Some(&"a".repeat(6 * 1024)))).await.expect("an address");
    assert!(location.len() < 6 * 1024 && !location.contains("id_token_hint"), "{location}");
}

#[tokio::test]
async fn v_09_a_provider_without_the_endpoint_is_left_alone() {
    let fixture = fixture();
    let mut metadata = metadata();
    metadata.as_object_mut().expect("an object").remove("end_session_endpoint");
    fixture.on(DISCOVERY, Reply::ok(metadata));
    assert_eq!(fixture.client.logout_location(request(None)).await, None);

    let fixture = self::fixture();
    fixture.on(DISCOVERY, Reply::Refuse);
    assert_eq!(fixture.client.logout_location(request(None)).await, None);

    let never = fixture_with(|settings| settings.logout = Logout::Never);
    assert_eq!(never.client.logout_location(request(None)).await, None);
    assert!(never.calls(DISCOVERY).is_empty());
}

#[tokio::test]
async fn v_09_cognito_has_a_form_of_its_own() {
    let fixture = fixture_with(|settings| settings.logout = Logout::Cognito);
    let mut metadata = metadata();
    metadata["authorization_endpoint"] = json!("https://pool.auth.test/oauth2/authorize");
    fixture.on(DISCOVERY, Reply::ok(metadata));
    let expected = "https://pool.auth.test/logout?client_id=dashboard&logout_uri=https%3A%2F%2Fapp.test%2Fbye%3Fx%3D1";
    assert_eq!(fixture.client.logout_location(request(Some("a.b.c"))).await.as_deref(), Some(expected));

    let given = fixture_with(|settings| {
        settings.logout = Logout::Cognito;
        settings.endpoints.end_session = Some(Url::parse("https://login.example.com/logout").expect("a URL"));
    });
    let location = given.client.logout_location(request(None)).await.expect("an address");
    assert!(location.starts_with("https://login.example.com/logout?client_id=dashboard&logout_uri="), "{location}");
}

//! Back-channel logout: what clients are told, and what happens if they do not answer.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use super::stored::Stored;
use super::*;
use crate::backchannel::call::{Backchannel, Error};
use crate::management::sessions::Which;

const TOLD: &str = "https://app.example.com/told";

/// A client that answers with these states, and then with 200.
#[derive(Debug, Default)]
struct Client {
    answers: Mutex<VecDeque<u16>>,
    got: Mutex<Vec<(String, String)>>,
}

impl Backchannel for Client {
    fn call(&self, request: WholeRequest) -> Pin<Box<dyn Future<Output = Result<WholeResponse, Error>> + Send + '_>> {
        assert_eq!(request.headers()["content-type"], FORM);
        let body = String::from_utf8(request.body().to_vec()).expect("UTF-8");
        self.got.lock().expect("whole").push((request.uri().to_string(), body));
        let status = self.answers.lock().expect("whole").pop_front().unwrap_or(200);
        let answer = http::Response::builder().status(status).body(Bytes::new()).expect("a response");
        Box::pin(async move { Ok(answer) })
    }
}

impl Client {
    fn answering(answers: &[u16]) -> Self {
        Self { answers: Mutex::new(answers.iter().copied().collect()), ..Self::default() }
    }

    fn calls(&self) -> usize {
        self.got.lock().expect("whole").len()
    }

    /// The logout token that came last.
    fn token(&self) -> String {
        let got = self.got.lock().expect("whole");
        let (uri, body) = got.last().expect("a call");
        assert_eq!(uri, TOLD);
        body.strip_prefix("logout_token=").expect("one field").to_owned()
    }
}

async fn stored() -> Stored {
    Stored::with(|settings| settings.clients[0].options.backchannel_logout_uri = Some(url(TOLD))).await
}

async fn send(stored: &Stored, client: &Client) {
    assert!(!stored.fixture.pool.provider.send_logout_tokens(Some(client)).await.expect("the database answers"));
}

#[tokio::test]
async fn a_client_is_told_of_the_end_of_a_session_in_which_it_took_part() {
    let (stored, client) = (stored().await, Client::default());
    let mut browser = stored.fixture.browser();
    let tokens = stored.fixture.redeem(&browser.sign_in("grace", "first compiler").await.code()).await.json();
    let page = browser.get(routes::SIGN_IN).await;
    browser.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    send(&stored, &client).await;
    let token = client.token();
    let header = token.split('.').next().expect("a header");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("ES256")));
    // Back-Channel Logout §2.4.
    let (logout, id) = (payload(&json!(token)), payload(&tokens["id_token"]));
    for name in ["iss", "sub", "aud", "sid"] {
        assert_eq!(logout[name], id[name], "{name}");
    }
    assert_eq!(logout["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert_eq!(logout["exp"], (START + Duration::from_secs(120)).seconds());
    assert!(logout["jti"].is_string() && logout.get("nonce").is_none(), "{logout}");
    // It is none of the other tokens.
    assert_eq!(stored.fixture.userinfo(&token).await.status(), StatusCode::UNAUTHORIZED);
    send(&stored, &client).await;
    assert_eq!(client.calls(), 1, "once");
    assert!(stored.fixture.registry.render().contains(r#"logout_tokens_total{pool="demo",outcome="delivered"} 1"#));
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_told_again_and_given_up_at_last() {
    let (stored, client) = (stored().await, Client::answering(&[503; 9]));
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    let now = stored.fixture.clock.now();
    assert_eq!(stored.users.end_sessions("grace", Which::Others(String::new()), now).await.expect("ended"), 1);
    for (calls, wait) in [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3600), (6, 3600)] {
        send(&stored, &client).await;
        assert_eq!(client.calls(), calls);
        stored.fixture.advance(wait - 1);
        send(&stored, &client).await;
        assert_eq!(client.calls(), calls, "not before its time");
        stored.fixture.advance(1);
    }
    stored.fixture.advance(100_000);
    send(&stored, &client).await;
    assert_eq!(client.calls(), 6);
    assert!(stored.fixture.registry.render().contains(r#"logout_tokens_total{pool="demo",outcome="failed"} 1"#));
}

#[tokio::test]
async fn a_client_that_refuses_is_not_asked_again_and_one_without_an_address_is_not_asked() {
    let (stored, client) = (stored().await, Client::answering(&[400]));
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    let cli = authorize_path(&[("client_id", "cli"), ("redirect_uri", "http://127.0.0.1/cb")]);
    let page = browser.get(&cli).await;
    browser.confirm(&page).await.code();
    let page = browser.get(routes::SIGN_IN).await;
    browser.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    send(&stored, &client).await;
    stored.fixture.advance(10_000);
    send(&stored, &client).await;
    assert_eq!(client.calls(), 1);
    assert_eq!(stored.count("logouts").await, 0, "nothing is left behind");
}

#[tokio::test]
async fn the_end_of_a_user_is_told_for_every_session() {
    let (stored, client) = (stored().await, Client::default());
    let offline = ("scope", "openid offline_access");
    let mut sids = std::collections::BTreeSet::new();
    let mut tokens = Value::Null;
    for _ in 0..2 {
        let mut browser = stored.fixture.browser();
        let page = browser.authorize(&[offline]).await;
        let code = browser.submit(&page, "grace", "first compiler").await.code();
        tokens = stored.fixture.redeem(&code).await.json();
        sids.insert(payload(&tokens["id_token"])["sid"].as_str().expect("a text").to_owned());
    }
    // The session of the first sign-in has expired, and its family has not.
    stored.fixture.advance(9 * 3600);
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    stored.users.set_enabled("grace", false, stored.fixture.clock.now()).await.expect("disabled");
    send(&stored, &client).await;
    let got: Vec<_> = client.got.lock().expect("whole").clone();
    let told = got.iter().map(|(_, body)| {
        let token = body.strip_prefix("logout_token=").expect("one field");
        payload(&json!(token))["sid"].as_str().expect("a text").to_owned()
    });
    let told: std::collections::BTreeSet<String> = told.collect();
    assert_eq!(told.len(), 3);
    assert!(told.is_superset(&sids), "{told:?} {sids:?}");
    assert_eq!(stored.count("sso").await, 0);
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

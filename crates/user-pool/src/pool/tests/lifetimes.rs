//! Lifetimes of tokens, for each client.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn settings_of(client: impl FnOnce(&mut ClientOptions)) -> Settings {
    let mut settings = settings();
    client(&mut settings.clients[0].options);
    settings
}

fn lives(token: &Value) -> u64 {
    let claims = payload(token);
    claims["exp"].as_u64().expect("a time") - claims["iat"].as_u64().expect("a time")
}

#[tokio::test]
async fn each_token_of_a_client_lives_as_long_as_the_client_says() {
    let fixture = Fixture::with(
        settings_of(|client| {
            client.access_token_lifetime = Some(Duration::from_secs(300));
            client.id_token_lifetime = Some(DAY);
        }),
        START,
    );
    let tokens = fixture.tokens().await;
    assert_eq!((lives(&tokens["access_token"]), lives(&tokens["id_token"])), (300, 24 * 3600));
    assert_eq!(tokens["expires_in"], 300);
    let access_token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(fixture.userinfo(access_token).await.status(), StatusCode::OK);
    fixture.advance(301);
    assert_eq!(fixture.userinfo(access_token).await.status(), StatusCode::UNAUTHORIZED);
    // The other clients have those of the pool.
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    assert_eq!((lives(&tokens["access_token"]), lives(&tokens["id_token"])), (3600, 3600));
}

#[tokio::test]
async fn a_refresh_token_of_a_client_ends_when_the_client_says() {
    let short = |settings: &mut Settings| {
        settings.clients[0].options.refresh_token_lifetime = Some(Duration::from_secs(3600));
    };
    let mut with = settings();
    short(&mut with);
    let sealed = Fixture::with(with, START);
    let stored = super::stored::Stored::with(short).await;
    for fixture in [&sealed, &stored.fixture] {
        let first = fixture.tokens().await["refresh_token"].as_str().expect("a token").to_owned();
        fixture.advance(3599);
        let next = fixture.refresh(&first).await.json()["refresh_token"].as_str().expect("a token").to_owned();
        fixture.advance(1);
        fixture.refresh(&next).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    // A lifetime that becomes shorter counts for tokens of before.
    let fixture = Fixture::new();
    let token = fixture.tokens().await["refresh_token"].as_str().expect("a token").to_owned();
    fixture.advance(3600);
    fixture.reloaded(short).refresh(&token).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert_eq!(fixture.refresh(&token).await.status(), StatusCode::OK);
}

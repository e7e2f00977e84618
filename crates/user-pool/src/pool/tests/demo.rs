//! The pool of the tests.

use super::*;

pub(super) fn user(name: &str, password: &str, claims: Value) -> UserSettings {
    UserSettings {
        username: name.to_owned(),
        password_hash: cheap(password),
        subject: format!("sub-of-{name}"),
        claims: claims.as_object().expect("an object").clone(),
    }
}

/// A pool with two users and two clients.
pub(super) fn settings() -> Settings {
    let pem = SigningKey::generate_pem();
    let key = || SigningKey::from_pem(&pem).expect("a generated key reads back");
    Settings {
        name: "demo".into(),
        issuer: url(ISSUER),
        title: None,
        brand: crate::brand::Settings::default(),
        signing_key: Some(key()),
        rs256_signing_key: None,
        other_keys: vec![],
        seal_keys: [aead::Key::new(&Secret::new([7; 32]))].into(),
        users: vec![
            user(
                "Alice",
                "correct horse",
                json!({"name": "Alice A.", "email": "alice@example.com", "email_verified": true, "groups": ["ops"],
                    "department": "research", "aud": "everyone", "sub": "root"}),
            ),
            user("bob", "battery staple", json!({})),
        ],
        directory: Arc::default(),
        self_service: Arc::default(),
        account: Arc::default(),
        store: None,
        messages: crate::messages::settings::Settings::default(),
        providers: vec![],
        clients: vec![
            ClientSettings {
                client_id: "dashboard".into(),
                client_secret: Some(Secret::new("s3cr/et+1".into())),
                redirect_uris: vec![url(CALLBACK), url("https://app.example.com/other?keep=1")],
                post_logout_redirect_uris: vec![url("https://app.example.com/bye")],
                resources: vec![],
                name: Some("The Dashboard".into()),
                pkce: Pkce::OrNonce,
                id_token_algorithm: Algorithm::Es256,
                begins_again: true,
                is_ours: false,
                options: ClientOptions::default(),
            },
            ClientSettings {
                client_id: "cli".into(),
                client_secret: None,
                redirect_uris: vec![url("http://127.0.0.1/cb")],
                post_logout_redirect_uris: vec![],
                resources: vec![url(APPLICATION), url("https://app.example.com/mcp")],
                name: None,
                pkce: Pkce::Required,
                id_token_algorithm: Algorithm::Es256,
                begins_again: false,
                is_ours: false,
                options: ClientOptions::default(),
            },
        ],
        mfa: Default::default(),
        token_lifetime: Duration::from_secs(3600),
        refresh_lifetime: Duration::from_secs(30 * 24 * 3600),
        sso_lifetime: Duration::from_secs(8 * 3600),
        password_policy: crate::credential::policy::PasswordPolicy::modern(),
        retention: crate::events::settings::EventSettings::default(),
        hashing_max: 2,
    }
}

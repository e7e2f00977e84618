//! What a sound file means.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{SOUND, files, load_in};
use crate::action::settings::{AuthenticateKind, GateSettings, OnUnauthenticated, Piece, Protocol, TerminalSettings};
use crate::config::MissingKeys;
use crate::config::document::source::Source;
use crate::config::{Config, load};
use crate::jose::signing_key::{PublicKey, SigningKey};
use crate::telemetry::access_log::Destination;

/// The example of the design, with its files where the test has them.
const DESIGN: &str = r#"
listeners:
  - name: public
    address: 0.0.0.0:8443
    protocol: https                       # https | http; authenticate-* and jwt-validation need https
    certificates:                         # first is the default; others by SNI
      - certificate_file: tls.pem
        private_key_file: tls-key.pem
    rules:
      - name: health
        priority: 1
        conditions:
          - path_pattern: [/healthz]
        actions:
          - type: fixed-response
            status_code: 200
            content_type: text/plain
            body: ok
      - name: api
        priority: 10
        conditions:
          - host_header: [app.example.com]
          - path_pattern: ["/api/*"]
        actions:
          - type: authenticate-oidc
            provider: corp
            on_unauthenticated_request: deny       # authenticate (default) | deny | allow
          - type: forward
            target_group: app
    default_actions:
      - type: authenticate-oidc
        provider: corp
        scope: openid email profile
        session_timeout: 8h                        # 7d when absent, as the ALB
        authentication_request_extra_params: { prompt: login }
      - type: forward
        target_group: app
  - name: redirect-to-https
    address: 0.0.0.0:8080
    protocol: http
    default_actions:
      - type: redirect
        protocol: HTTPS
        port: "8443"
        status_code: HTTP_301

identity_providers:
  corp:
    issuer: https://login.example.com              # discovery; any endpoint may be given to override it
    client_id: dashboard
    client_secret_file: secret

target_groups:
  app:
    protocol: http                                 # http | https
    protocol_version: http1                        # http1 | http2 | grpc
    targets: ["127.0.0.1:3000"]

session:
  cookie_name: __Host-vestibule                    # base name; shards -0, -1, ...
  key_files: [session-key]                         # first seals, all open

claims:
  signer: arn:vestibule:dashboard                  # the `signer` member; apps check it
  signing_key_file: claims-key                     # P-256; made on first start where absent

admin:
  address: 127.0.0.1:9440                          # /livez /readyz /metrics, never on a public listener
"#;

fn gate(config: &Config, listener: usize) -> &crate::action::settings::AuthenticateSettings {
    config.listeners[listener].default.gates[0].authenticate().expect("it authenticates")
}

#[test]
fn the_example_of_the_design_loads_and_means_what_it_says() {
    let files = files("design");
    let config = load_in(&files, DESIGN).unwrap_or_else(|report| panic!("{report}"));
    let said = config.warnings.to_string();
    assert!(said.matches("warning:").count() == 1 && said.contains("this issuer is a placeholder"), "{said}");
    let public = &config.listeners[0];
    assert_eq!(public.settings.address.to_string(), "0.0.0.0:8443");
    assert!(public.settings.tls.is_some());
    assert_eq!(public.rules.iter().map(|rule| rule.priority).collect::<Vec<_>>(), [1, 10]);
    assert_eq!(public.rules[1].conditions.len(), 2);
    let TerminalSettings::FixedResponse(health) = &public.rules[0].chain.terminal else {
        panic!("not a fixed response")
    };
    assert_eq!((health.status.as_u16(), &health.body[..]), (200, &b"ok"[..]));
    let api = public.rules[1].chain.gates[0].authenticate().expect("it authenticates");
    assert_eq!(api.on_unauthenticated, OnUnauthenticated::Deny);
    assert_eq!(api.session_timeout, Duration::from_secs(604_800));
    assert_eq!(api.scope, "openid");
    let default = gate(&config, 0);
    assert!(default.providers.len() == 1 && default.is_with(&AuthenticateKind::Oidc("corp".into())));
    assert_eq!(&*default.session_cookie_name, "__Host-vestibule");
    assert_eq!(default.scope, "openid email profile");
    assert_eq!(default.session_timeout, Duration::from_secs(8 * 3600));
    assert_eq!(default.extra_params.get("prompt").map(String::as_str), Some("login"));
    let TerminalSettings::Redirect(redirect) = &config.listeners[1].default.terminal else { panic!("not a redirect") };
    assert_eq!((redirect.status.as_u16(), redirect.protocol), (301, Some(Protocol::Https)));
    assert_eq!(redirect.port.0, [Piece::Literal("8443".to_owned())]);
    assert_eq!(redirect.host.0, [Piece::Host]);
    let provider = &config.providers[0].settings;
    assert_eq!(provider.issuer, "https://login.example.com");
    // The newline at the end of the file is not part of the secret.
    assert_eq!(provider.client_secret.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(config.target_groups[0].targets[0].place.to_string(), "127.0.0.1:3000");
    assert_eq!(config.claims.as_ref().unwrap().signer, "arn:vestibule:dashboard");
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9440");
    assert_eq!(config.access_log, Destination::Stdout);
}

#[test]
fn a_variable_becomes_whatever_is_wanted_in_its_place() {
    let files = files("variables");
    let text = SOUND
        .replace("client_secret_file: secret", "client_secret: ${SECRET}")
        .replace("priority: 10", "priority: ${PRIORITY}")
        .replace("client_id: dashboard", "client_id: \"${ID}-$${x}\"");
    let source = Source::text("vestibule.yaml", &files, &text);
    let source = source.with_environment([("SECRET", "12345"), ("PRIORITY", "77"), ("ID", "a: b # c")]);
    let config = load(&source, MissingKeys::Refuse).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.listeners[0].rules[0].priority, 77);
    assert_eq!(config.providers[0].settings.client_secret.as_ref().unwrap().expose(), "12345");
    // What a variable holds is a value, never more of the file.
    assert_eq!(config.providers[0].settings.client_id, "a: b # c-${x}");
}

#[test]
fn a_credential_of_systemd_is_read_in_place_of_the_file() {
    let files = files("credentials");
    let loaded = files.join("loaded");
    std::fs::create_dir(&loaded).unwrap();
    std::fs::write(loaded.join("private-client-secret"), "from systemd\n").unwrap();
    let text = SOUND.replace("client_secret_file: secret", "client_secret_file: private/client-secret");
    let source = Source::text("vestibule.yaml", &files, &text);
    let source = source.with_environment([("CREDENTIALS_DIRECTORY", loaded.to_str().unwrap())]);
    // The other files were not loaded, and are read from where the file says.
    let config = load(&source, MissingKeys::Refuse).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.providers[0].settings.client_secret.as_ref().unwrap().expose(), "from systemd");
}

#[test]
fn anchors_and_merges_spare_repetition() {
    let files = files("anchors");
    let text = SOUND
        .replace(
            "listeners:\n",
            "x-login: &login\n  type: authenticate-oidc\n  provider: corp\n  session_timeout: 1h30m\nlisteners:\n",
        )
        .replace(
            "      - type: authenticate-oidc\n        provider: corp\n",
            "      - { <<: *login, scope: openid email }\n",
        );
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(gate(&config, 0).scope, "openid email");
    assert_eq!(gate(&config, 0).session_timeout, Duration::from_secs(5400));
}

#[test]
fn a_user_pool_has_users_clients_and_applications() {
    let files = files("pool");
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc";
    let text = SOUND
        .replace(
            "        provider: corp\n      - type: forward",
            "        provider: corp\n        session_cookie_name: __Host-corp\n      - type: forward",
        )
        .replace(
            "type: authenticate-oidc\n            provider: corp",
            "type: authenticate-user-pool\n            user_pool: people",
        )
        + &format!(
            "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
    previous_key_files: [claims-key]
    applications: [\"https://app.example.com:8443\"]
    users:
      - username: Ada
        password_hash: {hash}
        email: ada@example.com
        groups: [admins]
        claims: {{ department: {{ number: 7 }} }}
    clients:
      - client_id: other
        redirect_uris: [https://other.example.com/callback]
"
        );
    let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
    let pool = &config.user_pools[0];
    assert_eq!(pool.applications[0].as_str(), "https://app.example.com:8443/");
    assert_eq!(pool.settings.other_keys.len(), 1);
    let user = &pool.settings.users[0];
    assert_eq!(user.claims["groups"], serde_json::json!(["admins"]));
    assert_eq!(user.claims["department"]["number"], 7);
    assert_eq!(user.subject.len(), 32);
    let again = load_in(&files, &text).unwrap();
    assert_eq!(again.user_pools[0].settings.users[0].subject, user.subject);
    assert!(format!("{:?}", pool.settings).contains("password_hash: …"));
}

#[test]
fn development_makes_missing_keys_and_production_does_not() {
    let files = files("made");
    for name in ["session-key", "claims-key"] {
        std::fs::remove_file(files.join(name)).unwrap();
    }
    assert!(load_in(&files, SOUND).is_err());
    assert!(!files.join("session-key").exists());
    let source = Source::text("vestibule.yaml", &files, SOUND);
    let made = load(&source, MissingKeys::Make).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(made.notes.len(), 2, "{:?}", made.notes);
    let again = load(&source, MissingKeys::Make).unwrap();
    assert!(again.notes.is_empty(), "{:?}", again.notes);
    assert_eq!(made.claims.unwrap().signing_key.kid(), again.claims.unwrap().signing_key.kid());
}

#[test]
fn debug_output_has_no_secret() {
    let files = files("debug");
    let config = load_in(&files, SOUND).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

/// What the first rule of the sound file requires after `keys` were added to its action that authenticates.
fn required(name: &str, keys: &str) -> Vec<String> {
    let gate = "            provider: corp\n            on_unauthenticated_request: deny\n";
    let text = SOUND.replace(gate, &format!("{gate}{keys}"));
    let config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}"));
    let authorize = |gate: &GateSettings| gate.authorize().map(ToString::to_string);
    config.listeners[0].rules[0].chain.gates.iter().filter_map(authorize).collect()
}

#[test]
fn allowed_users_are_an_authorize_behind_the_action() {
    let keys = "            allowed_groups: [platform, sre]\n            groups_claim: realm_access.roles\n            \
                allowed_emails: [Ada@B\u{fc}cher.example]\n            allowed_email_domains: [Example.com]\n";
    assert_eq!(
        required("allowed-all", keys),
        ["`realm_access.roles` contains `platform` or `sre` and (`email` is the verified address \
             `Ada@xn--bcher-kva.example` or `email` is a verified address at `example.com`)"]
    );
    assert_eq!(required("allowed-none", ""), [""; 0]);
    let groups = "            allowed_groups: [\"7\"]\n            groups_claim: [\"cognito:groups\"]\n";
    assert_eq!(required("allowed-groups", groups), ["`cognito:groups` contains `7`"]);
    let domain = "            allowed_email_domains: [example.com]\n";
    assert_eq!(required("allowed-domain", domain), ["`email` is a verified address at `example.com`"]);
    // What is demanded of the sign-in, with and without a requirement on the claims.
    let demand = format!("{domain}          - {{ type: authorize, max_age: 1h, acr: [phr, phrh] }}\n");
    assert_eq!(
        required("demand", &demand)[1],
        "signed in within the last 1h (plus 1m for clocks) and `acr` is `phr` or `phrh`"
    );
    let any = "any: [{ claim: a, equals: [b] }, { claim: c, equals: [d] }]";
    let demand = format!("{domain}          - {{ type: authorize, {any}, max_age: 60 }}\n");
    assert_eq!(
        required("demand-and-any", &demand)[1],
        "(`a` is `b` or `c` is `d`) and signed in within the last 1m (plus 1m for clocks)"
    );
    // An `authorize` of the file is asked in addition.
    let both =
        format!("{domain}          - {{ type: authorize, any: [{{ claim: level, equals: [3, true, \"3\", no] }}] }}\n");
    assert_eq!(
        required("allowed-both", &both),
        ["`email` is a verified address at `example.com`", "`level` is 3 or true or `3` or `no`"]
    );
}

#[test]
fn microsoft_graph_is_asked_for_the_groups_of_the_rules_that_use_the_provider() {
    let gate = "            provider: corp\n            on_unauthenticated_request: deny\n";
    let graph = |name: &str, keys: &str| {
        let text = SOUND
            .replace("    client_id:", &format!("    entra_groups: graph\n{keys}    client_id:"))
            .replace(gate, &format!("{gate}            allowed_groups: [sre, staff]\n"));
        let mut config = load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}"));
        config.providers.remove(0).settings.graph.expect("it is asked")
    };
    let global = graph("graph", "");
    assert_eq!(
        global.endpoint.as_str(),
        "https://graph.microsoft.com/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$count=true&$top=999"
    );
    assert_eq!(global.wanted.iter().collect::<Vec<_>>(), ["sre", "staff"]);
    let china = graph("graph-china", "    graph_endpoint: https://microsoftgraph.chinacloudapi.cn/v1.0/\n");
    assert!(china.endpoint.as_str().starts_with("https://microsoftgraph.chinacloudapi.cn/v1.0/me/transitive"));
}

#[test]
fn of_a_key_that_is_only_published_the_public_half_is_enough() {
    let files = files("public-halves");
    let write = |name: &str, text: &str, mode: u32| {
        std::fs::write(files.join(name), text).unwrap();
        std::fs::set_permissions(files.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let generated = [SigningKey::generate_pem(), SigningKey::generate_rsa_pem()];
    let [p256, rsa] = generated.each_ref().map(|pem| SigningKey::from_pem(pem).unwrap());
    write("p256.pub", p256.public().pem(), 0o644);
    write("rsa.pub", rsa.public().pem(), 0o644);
    write("p256.pem", generated[0].expose(), 0o644);
    let load = |claims: &str, pool: &str| {
        let key = |files: &str| format!("signing_key_file: claims-key\n  previous_key_files: [{files}]");
        let pool = format!(
            "user_pools:\n  people: {{ issuer: \"https://login.example.com\", signing_key_file: pool-key, previous_key_files: [{pool}] }}\n"
        );
        load_in(&files, &(SOUND.replace("signing_key_file: claims-key", &key(claims)) + &pool))
    };
    let kids = |keys: &[PublicKey]| keys.iter().map(|key| key.kid().to_owned()).collect::<Vec<_>>();
    let config = load("p256.pub", "rsa.pub, p256.pub").unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(kids(&config.claims.as_ref().unwrap().other_keys), [p256.kid()]);
    assert_eq!(kids(&config.user_pools[0].settings.other_keys), [rsa.kid(), p256.kid()]);
    assert!(!config.warnings.to_string().contains("p256"), "{}", config.warnings);
    // The private half is a secret, also if it no longer signs.
    let config = load("p256.pem", "").unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(kids(&config.claims.as_ref().unwrap().other_keys), [p256.kid()]);
    assert!(config.warnings.to_string().contains("p256.pem`, which contains a secret"), "{}", config.warnings);
    let refused = load("rsa.pub", "").expect_err("claims are signed with ES256").to_string();
    assert!(refused.contains("rsa.pub` is a key for RS256, but a key for ES256 is required"), "{refused}");
}

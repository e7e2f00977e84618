//! Several providers, in the folder of `OIDCMetadataDir`.

use serde_json::{Value, json};

use super::attacks::{GATE, host, open};
use super::{OIDC, from, input};
use crate::import::text::Input;
use crate::import::{Imported, mod_auth_openidc};

/// Files of a folder: their names, and what is in them.
type Files = Vec<(String, String)>;

fn issuer(name: &str) -> Files {
    issuer_with(name, &json!({"client_id": format!("wiki-{name}"), "client_secret": "not-for-a-file"}))
}

fn issuer_with(name: &str, client: &Value) -> Files {
    let provider = json!({
        "issuer": format!("https://{name}"), "authorization_endpoint": format!("https://{name}/authorize"),
        "token_endpoint": format!("https://{name}/token"), "jwks_uri": format!("https://{name}/keys"),
        "response_types_supported": ["code"],
    });
    vec![(format!("{name}.provider"), provider.to_string()), (format!("{name}.client"), client.to_string())]
}

fn conf(name: &str, settings: &Value) -> Files {
    vec![(format!("{name}.conf"), settings.to_string())]
}

fn import(files: &Files, more: &str) -> Imported {
    let include = |pattern: &str, _: Option<&str>| match pattern.strip_prefix("/var/oidc/*") {
        Some(end) => {
            let named = files.iter().filter(|(name, _)| name.ends_with(end));
            Ok(named.map(|(name, text)| input(&format!("/var/oidc/{name}"), text)).collect::<Vec<Input>>())
        }
        None if pattern == "oidc.conf" => Ok(vec![input("oidc.conf", OIDC)]),
        None => Err(format!("cannot read {pattern}")),
    };
    let site = host(&format!("OIDCMetadataDir /var/oidc/\n{more}{GATE}"));
    mod_auth_openidc(&[input("site.conf", &site)], &[], &include).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn users_choose_among_the_providers_of_a_folder() {
    let files = [issuer("a.example.com"), issuer("b.example.net")].concat();
    let imported = import(&files, "OIDCDiscoverURL https://www.example.com/choose\n");
    assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
    let gate = from(&imported, "- type: authenticate-oidc");
    assert!(
        gate.starts_with(
            "- type: authenticate-oidc providers: [a.example.com, b.example.net] scope: \"openid email profile\""
        ),
        "{gate}"
    );
    let providers = from(&imported, "identity_providers:").replace('"', "");
    let expected = "identity_providers: a.example.com: issuer: https://a.example.com client_id: wiki-a.example.com callback_path: /cb \
        client_secret_file: keys/a.example.com-client-secret b.example.net: issuer: https://b.example.net client_id: wiki-b.example.net \
        callback_path: /cb/2 client_secret_file: keys/b.example.net-client-secret";
    assert!(providers.starts_with(expected), "{providers}");
    assert!(!imported.yaml.contains("not-for-a-file") && !imported.explanation().contains("not-for-a-file"));
    let row = imported.rows.iter().find(|row| row.setting.ends_with("OIDCMetadataDir")).unwrap();
    assert!(row.fate.word() == "changed" && row.fate.why().contains("callback_path"), "{row:?}");
    // Each file has its rows.
    let rows = imported.rows.iter().filter(|row| row.setting.starts_with("/var/oidc/")).count();
    assert_eq!(rows, 14, "{}", imported.explanation());
    // One is no choice. The directives about a single provider do not count.
    let imported = import(&issuer("a.example.com"), "");
    let gate = from(&imported, "- type: authenticate-oidc");
    assert!(gate.starts_with("- type: authenticate-oidc provider: a.example.com"), "{gate}");
    assert!(!imported.yaml.contains("login.example.com\"") && imported.closed.is_empty(), "{}", imported.yaml);
}

#[test]
fn settings_of_the_providers_of_a_folder_are_put_together() {
    let files = [
        issuer_with(
            "a.example.com",
            &json!({"client_id": "x", "client_secret": "y", "token_endpoint_auth_method": "client_secret_post"}),
        ),
        issuer_with("b.example.net", &json!({"client_id": "x"})),
        conf(
            "a.example.com",
            &json!({"scope": "openid groups", "session_max_duration": 7200, "token_endpoint_auth": "client_secret_basic"}),
        ),
        conf(
            "b.example.net",
            &json!({"session_max_duration": 3600, "pkce_method": "plain", "ssl_validate_server": false}),
        ),
    ];
    let imported = import(&files.concat(), "");
    assert_eq!(imported.closed, [""; 0], "{}", imported.yaml);
    let gate = from(&imported, "- type: authenticate-oidc");
    assert!(gate.contains("scope: \"openid groups email profile\" session_timeout: 1h"), "{gate}");
    let providers = from(&imported, "identity_providers:");
    assert!(providers.contains("token_endpoint_auth_method: client_secret_post"), "{providers}");
    assert!(providers.contains("token_endpoint_auth_method: none"), "{providers}");
}

#[test]
fn a_folder_that_is_not_carried_over_lets_nobody_in() {
    let (a, b) = (issuer("a.example.com"), issuer("b.example.net"));
    let without = |end: &str| b.iter().filter(|(name, _)| !name.ends_with(end)).cloned().collect::<Files>();
    let many: Vec<Files> = (0..11).map(|index| issuer(&format!("{index}.example.com"))).collect();
    let twice = vec![("again.provider".to_owned(), a[0].1.clone()), ("again.client".to_owned(), a[1].1.clone())];
    let text = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
    for (files, expected) in [
        (Files::new(), "no file that ends with .provider"),
        ([a.clone(), without("client")].concat(), "/var/oidc/b.example.net.client is not there"),
        (
            [a.clone(), conf("a.example.com", &json!({"auth_request_params": "acr_values=mfa"}))].concat(),
            "auth_request_params: it is not carried over",
        ),
        (
            [a.clone(), conf("a.example.com", &json!({"gate_of_tomorrow": true}))].concat(),
            "gate_of_tomorrow: it is not carried over",
        ),
        ([a.clone(), conf("a.example.com", &json!([]))].concat(), "it is no object"),
        ([a.clone(), conf("a.example.com", &json!({"session_max_duration": 0}))].concat(), "no number of seconds"),
        ([a.clone(), text("c.example.org.conf", "{")].concat(), "it is no JSON"),
        ([a.clone(), text("c.provider", "{}"), text("c.client", "{}")].concat(), "it has no issuer"),
        ([a.clone(), issuer_with("c.example.org", &json!({"client_secret": "x"}))].concat(), "no client_id"),
        (
            [
                a.clone(),
                issuer_with(
                    "c.example.org",
                    &json!({"client_id": "x", "client_secret": "y", "token_endpoint_auth_method": "private_key_jwt"}),
                ),
            ]
            .concat(),
            "private_key_jwt",
        ),
        ([a.clone(), twice].concat(), "another file has this issuer"),
        (many.concat(), "at most 10"),
    ] {
        let imported = import(&files, "");
        assert_eq!((open(&imported).len(), imported.closed.len()), (0, 1), "{expected}: {}", imported.yaml);
        assert!(
            imported.closed[0].contains(expected) && imported.closed[0].contains("`providers`"),
            "{expected}: {:?}",
            imported.closed
        );
        assert!(!imported.yaml.contains("type: forward"), "{expected}: {}", imported.yaml);
    }
    for folder in ["/var/other", "/var/*", "\"\"", "${DIR}"] {
        let imported = import(&a, &format!("OIDCMetadataDir {folder}\n"));
        assert!(open(&imported).is_empty() && imported.closed.len() == 1, "{folder}: {}", imported.yaml);
    }
}

//! A client and a server of the Model Context Protocol that nobody here wrote (npm `@modelcontextprotocol/sdk`), with Vestibule between them.

use serde_json::json;

use crate::harness::browser::{Protocol, on_both};
use crate::harness::process::{self, Process};
use crate::harness::scenario::parameter;
use crate::harness::target;
use crate::real_providers::OidcProvider;
use crate::token_login::{Site, browse};

/// The metadata that the client reads, by the path of the server.
#[test]
fn a_client_that_knows_only_the_address_signs_in_and_calls_tools() {
    let provider = OidcProvider::start(&json!({"registration": true, "resources": true}));
    for resource_path in ["/mcp", ""] {
        let server = Process::start(process::node("mcp.mjs", &["server"]));
        let port = server.next_json()["port"].as_u64().expect("a port");
        let bearer =
            format!("scope: mcp, resource_path: '{}'", if resource_path.is_empty() { "/" } else { resource_path });
        let site = Site::with_provider(&provider, target::echo(), &bearer);
        let yaml = site.proxy.yaml().replace(&site.target.address().to_string(), &format!("127.0.0.1:{port}"));
        site.proxy.reload(&yaml).expect("it is sound");
        let url = format!("{}/mcp", site.url());
        let mut command = process::node("mcp.mjs", &["client", &url]);
        command.env("NODE_EXTRA_CA_CERTS", site.proxy.folder().join("ca.pem"));
        let mut client = Process::start(command);
        let authorize = client.next_json()["authorize"].as_str().expect("an address").to_owned();
        assert!(authorize.starts_with(&format!("{}/auth?", provider.url())), "{authorize}");
        let resource = parameter(&authorize, "resource").expect("RFC 8707");
        assert_eq!(resource.trim_end_matches('/'), format!("{}{resource_path}", site.url()));
        assert_eq!(parameter(&authorize, "scope").as_deref(), Some("mcp"));
        let mut browser = site.proxy.browser(Protocol::Http1);
        let (back, _) = browse(&mut browser, &authorize, "http://127.0.0.1:1/callback", provider.person());
        client.say(&back);
        let told = client.next_json();
        assert_eq!((&told["identity"], &told["result"]), (&json!("alice"), &json!("counted")), "{told}");
        assert_eq!(told["progress"], json!([1, 2, 3]), "each report came before the next was asked for");
        assert_eq!(client.finish().code, Some(0));
        // Without a token nothing reaches the server, over either protocol.
        on_both(|protocol| {
            let mut browser = site.proxy.browser(protocol).scripted();
            let body = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
            let answer = browser.send("POST", &url, &[("content-type", "application/json")], body);
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            let metadata = format!("{}/.well-known/oauth-protected-resource{resource_path}", site.url());
            assert_eq!(answer.status, 401, "{}", answer.text());
            assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
            assert_eq!(browser.get(&metadata).json()["resource"], format!("{}{resource_path}", site.url()));
        });
    }
}

//! A proxy in front that ends TLS: whom we believe, and what it may say.

use std::net::{SocketAddr, TcpStream};

use crate::harness::app::{Proxy, folder, free_port, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::certificates;
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;
use crate::harness::server::Server;
use crate::harness::target;

/// The address of the proxy that is trusted.
const TRUSTED: &str = "127.0.0.5";

struct Fixture {
    provider: Provider,
    target: Server,
    proxy: Proxy,
}

impl Fixture {
    /// A plain listener that signs users in, with more keys of the listener.
    fn start(listener: &str) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        let yaml = format!(
            "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: http
    trusted_proxies: [{TRUSTED}/32]
{listener}
    rules:
      - name: open
        priority: 1
        conditions: [{{ path_pattern: ['/open/*'] }}]
        actions: [{{ type: forward, target_group: app }}]
    default_actions:
      - {{ type: authenticate-oidc, provider: corp }}
      - {{ type: forward, target_group: app }}
identity_providers:
  corp: {{ issuer: '{}', client_id: dashboard, client_secret: a-client-secret-of-some-length }}
target_groups:
  app: {{ targets: ['{}'] }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}
session: {{ key_files: [session-key] }}
",
            provider.issuer(),
            target.address(),
        );
        Self { proxy: Proxy::start(&yaml), provider, target }
    }

    /// What the proxy in front sends us, over a connection from `peer`.
    fn ask(&self, browser: &mut Browser, peer: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
        browser.from = Some(peer.parse().expect("an address"));
        browser.send("GET", &url.replace("https://", "http://"), headers, b"")
    }

    fn browser(&self) -> Browser {
        self.proxy.browser(Protocol::Http1)
    }
}

const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");

#[test]
fn a_user_signs_in_through_a_proxy_that_ends_tls() {
    let fixture = Fixture::start("");
    let mut browser = fixture.browser();
    let begun = fixture.ask(&mut browser, TRUSTED, "https://app.test/x?y", &[HTTPS]);
    assert_eq!(begun.status, 302);
    let callback = fixture.provider.callback_of(begun.location());
    assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
    let back = fixture.ask(&mut browser, TRUSTED, &callback, &[HTTPS]);
    assert_eq!((back.status, back.location()), (302, "/x?y"));
    assert!(back.set_cookies().iter().all(|line| line.starts_with("__Host-") && line.contains("; Secure")));
    let page = fixture.ask(&mut browser, TRUSTED, "https://app.test/x?y", &[HTTPS]);
    assert_eq!(page.status, 200);
    let received = fixture.target.last();
    assert_eq!(received.header("x-amzn-oidc-identity"), Some("alice"));
    assert_eq!(
        (received.header("x-forwarded-proto"), received.header("x-forwarded-port")),
        (Some("https"), Some("443"))
    );
    assert_eq!(fixture.proxy.access_log(3)[2]["url.scheme"], "https");
}

#[test]
fn a_request_that_nobody_says_came_over_https_is_refused_with_a_page_that_says_why() {
    let fixture = Fixture::start("");
    let mut signed_in = fixture.browser();
    let begun = fixture.ask(&mut signed_in, TRUSTED, "https://app.test/x", &[HTTPS]);
    fixture.ask(&mut signed_in, TRUSTED, &fixture.provider.callback_of(begun.location()), &[HTTPS]);
    let before = fixture.target.count();
    for (peer, headers) in [
        // Nobody who is trusted.
        ("127.0.0.1", &[HTTPS][..]),
        ("127.0.0.1", &[]),
        // Trusted, and does not say it.
        (TRUSTED, &[]),
        (TRUSTED, &[("x-forwarded-proto", "http")]),
        (TRUSTED, &[("x-forwarded-proto", "https, http")]),
        (TRUSTED, &[("x-forwarded-proto", "http"), HTTPS]),
        (TRUSTED, &[("x-forwarded-proto", "httpss")]),
        (TRUSTED, &[("x-forwarded-proto", "")]),
        (TRUSTED, &[("x_forwarded_proto", "https")]),
        (TRUSTED, &[("forwarded", "proto=https"), ("x-forwarded-ssl", "on"), ("x-forwarded-scheme", "https")]),
    ] {
        for mut browser in [fixture.browser(), signed_in.clone()] {
            for path in ["/x", "/oauth2/idpresponse?code=a&state=b", "/oauth2/userinfo", "/oauth2/sign_out"] {
                let answer = fixture.ask(&mut browser, peer, &format!("https://app.test{path}"), headers);
                assert_eq!(
                    (answer.status, answer.reason().as_deref()),
                    (403, Some("request.not_https")),
                    "{headers:?}"
                );
                assert!(answer.text().contains("X-Forwarded-Proto"), "{}", answer.text());
                assert_eq!(answer.set_cookies(), [""; 0]);
            }
        }
    }
    assert_eq!(fixture.target.count(), before);
    // A rule that signs nobody in needs no HTTPS.
    assert_eq!(fixture.ask(&mut fixture.browser(), "127.0.0.1", "https://app.test/open/x", &[HTTPS]).status, 200);
    assert_eq!(fixture.target.last().header("x-forwarded-proto"), Some("http"));
}

#[test]
fn the_target_is_told_what_the_client_used() {
    let fixture = Fixture::start("");
    let said = [
        HTTPS,
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/team/app"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-user", "admin"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    fixture.ask(&mut fixture.browser(), TRUSTED, "https://app.test/open/x", &said);
    let received = fixture.target.last();
    let of = |name| received.header(name);
    assert_eq!((of("x-forwarded-proto"), of("x-forwarded-port")), (Some("https"), Some("8443")));
    assert_eq!((of("x-forwarded-prefix"), of("x-forwarded-user")), (Some("/team/app"), None));
    assert_eq!((of("x-forwarded-host"), of("host")), (Some("app.test"), Some("app.test")));
    assert_eq!(of("x-forwarded-for"), Some("203.0.113.9, 127.0.0.5"));

    fixture.ask(&mut fixture.browser(), "127.0.0.1", "https://app.test/open/x", &said);
    let received = fixture.target.last();
    let of = |name| received.header(name);
    assert_eq!(
        (of("x-forwarded-proto"), of("x-forwarded-port"), of("x-forwarded-prefix")),
        (Some("http"), Some("80"), None)
    );

    for prefix in ["//evil.test", "team", "/a/../b", "/a%2Fb", "/a\"b", "/<x>", "https://evil.test/"] {
        let said = [HTTPS, ("x-forwarded-prefix", prefix)];
        fixture.ask(&mut fixture.browser(), TRUSTED, "https://app.test/open/x", &said);
        assert_eq!(fixture.target.last().header("x-forwarded-prefix"), None, "{prefix}");
    }
}

#[test]
fn the_host_is_the_one_that_the_operator_says() {
    let fixture = Fixture::start("    host_from: x_forwarded_host");
    let ask = |peer: &str, path: &str, host: &[&str]| {
        let mut headers = vec![HTTPS];
        headers.extend(host.iter().map(|host| ("x-forwarded-host", *host)));
        fixture.ask(&mut fixture.browser(), peer, &format!("https://inside.test{path}"), &headers)
    };
    let begun = ask(TRUSTED, "/x", &["app.test:443"]);
    let callback = fixture.provider.callback_of(begun.location());
    assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
    ask(TRUSTED, "/open/x", &["App.Test"]);
    assert_eq!(fixture.target.last().header("host"), Some("app.test"));
    ask(TRUSTED, "/open/x", &[]);
    assert_eq!(fixture.target.last().header("host"), Some("inside.test"));
    ask("127.0.0.1", "/open/x", &["app.test"]);
    assert_eq!(fixture.target.last().header("host"), Some("inside.test"));
    for hosts in [&["app.test", "evil.test"][..], &["evil.test, app.test"], &["app.test/x"], &[""]] {
        let before = fixture.target.count();
        let answer = ask(TRUSTED, "/open/x", hosts);
        assert_eq!((answer.status, fixture.target.count()), (400, before), "{hosts:?}");
    }
}

/// nginx in front, as OPERATIONS.md shows it.
#[test]
fn a_user_signs_in_behind_nginx() {
    let fixture = Fixture::start("");
    let (folder, port) = (folder(), free_port());
    certificates::write_to(&folder);
    let at = folder.display();
    let settings = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/error.log;
         events {{ worker_connections 64; }}
         http {{
           access_log off;
           client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
           uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
           server {{
             listen 127.0.0.1:{port} ssl http2;
             ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
             location / {{
               proxy_pass http://{};
               proxy_bind {TRUSTED};
               proxy_http_version 1.1;
               proxy_set_header Host $http_host;
               proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
               proxy_set_header X-Forwarded-Proto $scheme;
             }}
           }}
         }}",
        fixture.proxy.address()
    );
    std::fs::write(folder.join("nginx.conf"), settings).expect("a folder");
    let mut command = std::process::Command::new(process::needed_on_path("nginx"));
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    let front = Process::start(command);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("nginx listens", || TcpStream::connect(address).ok());
    on_both(|protocol| {
        let mut browser = Browser::new(protocol, address);
        fixture.provider.sign_in(&mut browser, "https://app.test/");
        let before = fixture.target.count();
        assert_eq!(browser.get("https://app.test/a%2Db//c?x=%22").status, 200, "{protocol:?}");
        let received = fixture.target.last();
        assert_eq!(fixture.target.count(), before + 1);
        assert_eq!(received.target(), "/a%2Db//c?x=%22");
        assert_eq!(received.header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(received.header("x-forwarded-proto"), Some("https"));
        assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1, 127.0.0.5"));
    });
    drop(front);
}

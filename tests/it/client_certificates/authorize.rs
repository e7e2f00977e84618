//! `client_certificate` of `authorize`: alone, and with the claims of a session.

use rcgen::{CertificateParams, DnType, SerialNumber};

use super::harness_of::verifying;
use crate::harness::app::{Proxy, START, Setup, folder};
use crate::harness::authorities::{Authority, ClientCertificate};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{Connection, empty, whole};
use crate::harness::provider::Provider;
use crate::harness::{runtime, target};
use serde_json::Value;

/// A listener that verifies certificates of `authority` and asks for them with this `authorize`.
fn start(authority: &Authority, gates: &str, setup: Setup) -> Proxy {
    let folder = folder();
    std::fs::write(folder.join("staff.pem"), &authority.pem).expect("written");
    let actions = format!("\n{gates}      - {{ type: forward, target_group: app }}");
    let setup = setup.listener(&verifying("")).default_actions(&actions);
    let yaml = setup.yaml() + "trust_stores: { staff: { ca_files: [staff.pem] } }\n";
    Proxy::start_in(folder, &yaml, START)
}

fn requiring(requirement: &str) -> String {
    format!("      - {{ type: authorize, {requirement} }}\n")
}

fn named(name: &str) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
    }
}

/// The status over both protocols, whatever the client says of its certificate in headers.
#[track_caller]
fn status(proxy: &Proxy, who: &ClientCertificate) -> u16 {
    let forged = [
        ("x-amzn-mtls-clientcert-subject", "CN=ada"),
        ("x-amzn-mtls-clientcert-issuer", "CN=Staff CA"),
        ("x_amzn_mtls_clientcert_serial_number", "03A5"),
        ("x-forwarded-client-cert", "Subject=\"CN=ada\""),
        ("x-ssl-client-s-dn", "CN=ada"),
        ("x-amzn-oidc-identity", "ada"),
    ];
    let ask = |protocol| {
        let mut browser = proxy.browser(protocol).with_certificate(who);
        browser.send("GET", "https://app.test/", &forged, b"").status
    };
    let statuses = [Protocol::Http1, Protocol::Http2].map(ask);
    assert_eq!(statuses[0], statuses[1]);
    statuses[0]
}

#[test]
fn a_certificate_alone_decides_where_nothing_else_is_asked() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let ada = authority.issue(|params| {
        params.serial_number = Some(SerialNumber::from(vec![0x03, 0xa5]));
        let names = ["a.test".to_owned()];
        params.subject_alt_names = CertificateParams::new(names).expect("names").subject_alt_names;
        let text = |text: &str| text.to_owned().try_into().expect("ASCII");
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name(text("ada@app.test")));
        params.subject_alt_names.push(rcgen::SanType::URI(text("spiffe://app.test/ada")));
    });
    let bob = authority.issue(named("bob"));
    let table = [
        ("all: [{ client_certificate: { subject: [CN=ada] } }]", 200, 403),
        ("all: [{ client_certificate: { subject: ['cn = ada', 'CN=eve'] } }]", 200, 403),
        ("all: [{ client_certificate: { subject: [CN=Ada] } }]", 403, 403),
        ("all: [{ client_certificate: { issuer: [CN=Staff CA] } }]", 200, 200),
        ("all: [{ client_certificate: { issuer: [CN=Staff CA], serial_number: ['3:A5'] } }]", 200, 403),
        ("all: [{ client_certificate: { dns_name: [A.test] } }]", 200, 403),
        ("all: [{ client_certificate: { email: [ADA@app.test] } }]", 200, 403),
        ("all: [{ client_certificate: { uri: ['spiffe://app.test/ada'] } }]", 200, 403),
        ("all: [{ client_certificate: { uri: ['spiffe://app.test/'] } }]", 403, 403),
        ("not: { client_certificate: { subject: [CN=ada] } }", 403, 200),
        // Of a certificate without names it is not known whether one of them is another.
        ("not: { client_certificate: { dns_name: [b.test] } }", 200, 403),
        (
            "any: [{ client_certificate: { subject: [CN=bob] } }, { client_certificate: { dns_name: [a.test] } }]",
            200,
            200,
        ),
        ("mode: report, all: [{ client_certificate: { subject: [CN=ada] } }]", 200, 200),
    ];
    for (requirement, for_ada, for_bob) in table {
        let proxy = start(&authority, &requiring(requirement), Setup::open(&[target.address()]));
        assert_eq!((status(&proxy, &ada), status(&proxy, &bob)), (for_ada, for_bob), "{requirement}");
        for record in proxy.access_log(4) {
            let reason = if record["http.response.status_code"] == 403 {
                "auth.certificate_not_allowed".into()
            } else {
                Value::Null
            };
            assert_eq!(record["reason"], reason);
        }
    }
}

#[test]
fn a_session_gives_no_access_on_a_connection_with_another_certificate() {
    // A session's answer is remembered for all of its connections; the certificate is each connection's own.
    let (provider, target, authority) = (Provider::start(), target::echo(), Authority::new("Staff CA"));
    let (ada, bob) = (authority.issue(named("ada")), authority.issue(named("bob")));
    let gates = "      - { type: authenticate-oidc, provider: corp }\n".to_owned()
        + &requiring("all: [{ client_certificate: { subject: [CN=ada] } }, { claim: sub, equals: [alice] }]");
    let proxy = start(&authority, &gates, Setup::new(&provider, &target));
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut browser = proxy.browser(protocol).with_certificate(&ada);
        let answer = provider.sign_in(&mut browser, "https://app.test/");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = browser.cookie_header("app.test");
        let ask = async |who: &ClientCertificate| {
            let mut connection = Connection::open_as(protocol, proxy.address(), "app.test", who).await;
            let request = connection.request("GET", "/").header("cookie", &cookie).body(empty()).expect("a request");
            whole(connection.send(request).await.expect("an answer")).await.0.status
        };
        runtime().block_on(async {
            for _ in 0..3 {
                assert_eq!(ask(&ada).await, 200);
                assert_eq!(ask(&bob).await, 403);
            }
        });
    }
}

#[test]
fn a_websocket_and_a_stream_end_when_their_certificate_is_revoked() {
    on_both(|protocol| {
        let (target, authority) = (target::echo(), Authority::new("Staff CA"));
        target.script(|_| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            crate::harness::server::Reply::BytesThenHang(format!("{head}6\r\nhello\n\r\n").into_bytes())
        });
        let proxy = super::verify_with(&target, &[&authority], &[authority.list(&[], 2030)], "", "");
        let ada = authority.issue(|params| params.serial_number = Some(SerialNumber::from(7)));
        runtime().block_on(async {
            let mut open = Connection::open_as(protocol, proxy.address(), "app.test", &ada).await;
            let request = open.request("GET", "/").body(empty()).expect("a request");
            let mut response = open.send(request).await.expect("an answer");
            crate::harness::connection::chunk(&mut response).await;
            std::fs::write(proxy.folder().join("list-0.pem"), authority.list(&[7], 2030)).expect("written");
            tokio::task::block_in_place(|| proxy.reload(&proxy.yaml())).expect("it is sound");
            let rest = crate::harness::connection::try_whole(response).await;
            assert!(rest.is_err(), "the stream was cut");
        });
        assert_eq!(proxy.access_log(1)[0]["reason"], "request.client_certificate");
    });
}

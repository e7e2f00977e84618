//! Certificates by ACME: obtained, kept, renewed, and never taken away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::harness::acme::{Authority, Mood, asks};
use crate::harness::app::{Proxy, START, folder, wait_until};
use crate::harness::certificates;
use crate::tls::handshake;

const DAY: Duration = Duration::from_secs(86_400);

/// A listener for `app.test` whose certificate is obtained, and a plain one.
fn yaml(authority: &Authority, challenge: &str) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    tls: auto
    rules:
      - name: app
        priority: 1
        conditions: [{{ host_header: [APP.test, '*.app.test'] }}]
        actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: hello }}]
    default_actions: [{{ type: fixed-response, status_code: 404 }}]
  - name: plain
    address: 127.0.0.1:0
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: of a rule }}]
acme:
  directory: '{}'
  directory_path: acme
  terms_of_service_agreed: true
  email: ops@app.test
  challenge: {challenge}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
",
        authority.directory()
    )
}

fn start(authority: &Authority, challenge: &str) -> Proxy {
    Proxy::start_in(folder(), &yaml(authority, challenge), START)
}

fn find(authority: &Authority, proxy: &Proxy) {
    authority.find(proxy.address_of("plain"), proxy.address());
}

/// The certificate that a client sees who trusts the authority. Its clock is that of the machine, so only the name counts.
fn shown(proxy: &Proxy) -> Option<Vec<u8>> {
    let stream = handshake(proxy.address(), certificates::trusting_anyone(), "app.test").ok()?;
    Some(stream.conn.peer_certificates().expect("a certificate")[0].to_vec())
}

fn obtained(proxy: &Proxy) -> Vec<u8> {
    wait_until("there is a certificate", || {
        let shown = shown(proxy);
        if shown.is_none() && proxy.metric("vestibule_acme_orders_total{result=\"failed\"}") > 0 {
            panic!("{}", readyz(proxy));
        }
        shown
    })
}

fn readyz(proxy: &Proxy) -> String {
    let mut stream = TcpStream::connect(proxy.admin()).expect("it accepts");
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn orders(proxy: &Proxy, result: &str) -> u64 {
    proxy.metric(&format!("vestibule_acme_orders_total{{result=\"{result}\"}}"))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn until_there_is_a_certificate_handshakes_are_refused_and_readyz_says_so() {
    let authority = Authority::start();
    let proxy = start(&authority, "http-01");
    assert_eq!(shown(&proxy), None);
    let said = readyz(&proxy);
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("certificate for app.test: not there yet"), "{said}");
    find(&authority, &proxy);
    obtained(&proxy);
    wait_until("the trouble is over", || (!readyz(&proxy).contains("certificate")).then_some(()));
    assert_eq!(orders(&proxy, "obtained"), 1);
    let expiry = "vestibule_acme_certificate_expiry_timestamp_seconds{server_name=\"app.test\"}";
    assert_eq!(proxy.metric(expiry), 1_803_254_400);
    assert_eq!(authority.issued(), [("app.test".to_owned(), false)]);
}

#[test]
fn a_certificate_is_obtained_by_either_challenge_and_is_the_one_of_the_authority() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let authority = Authority::start();
        let proxy = start(&authority, challenge);
        find(&authority, &proxy);
        let leaf = obtained(&proxy);
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf).expect("a certificate");
        let (_, root) = x509_parser::pem::parse_x509_pem(authority.root.as_bytes()).expect("PEM");
        let root = root.parse_x509().expect("a certificate");
        assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw(), "{challenge}");
        // Without a name, too: there is no other certificate. For another name, the same.
        assert!(handshake(proxy.address(), certificates::trusting_anyone(), "127.0.0.1").is_ok());
        assert!(handshake(proxy.address(), certificates::trusting_anyone(), "unknown.test").is_ok());
    }
}

#[test]
fn the_folder_is_for_its_owner_only_and_serves_a_restart_without_the_authority() {
    let authority = Authority::start();
    let mut first = start(&authority, "http-01");
    find(&authority, &first);
    let certificate = obtained(&first);
    let kept = first.folder().join("acme");
    wait_until("it is kept", || kept.join("app.test.pem").exists().then_some(()));
    assert_eq!(mode(&kept), 0o700);
    let mut files: Vec<_> =
        std::fs::read_dir(&kept).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "an account and a certificate: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    first.shutdown();
    authority.mood(Mood::Broken);
    let second = Proxy::start_in(first.folder().to_owned(), &yaml(&authority, "http-01"), START);
    assert_eq!(shown(&second), Some(certificate), "at once");
    authority.mood(Mood::Works);
    find(&authority, &second);
    second.clock.advance(66 * DAY);
    authority.valid((2027, 1, 29), (2027, 4, 29));
    wait_until("it is renewed", || (orders(&second, "obtained") == 1).then_some(()));
    assert_eq!(authority.accounts(), 1, "the account was kept");
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_lifetime_and_the_authority_is_told_which() {
    let authority = Authority::start();
    let proxy = start(&authority, "tls-alpn-01");
    find(&authority, &proxy);
    let first = obtained(&proxy);
    wait_until("it is counted", || (orders(&proxy, "obtained") == 1).then_some(()));
    authority.valid((2027, 1, 29), (2027, 4, 29));
    // With jitter it is due at 64 days and a half at the latest.
    proxy.clock.advance(66 * DAY);
    let second = wait_until("it is renewed", || shown(&proxy).filter(|second| *second != first));
    assert_ne!(first, second);
    assert_eq!(authority.issued(), [("app.test".to_owned(), false), ("app.test".to_owned(), true)]);
}

#[test]
fn a_failing_authority_takes_no_certificate_away_and_is_asked_again() {
    let authority = Authority::start();
    let proxy = start(&authority, "http-01");
    find(&authority, &proxy);
    let first = obtained(&proxy);
    wait_until("it is counted", || (orders(&proxy, "obtained") == 1).then_some(()));
    authority.valid((2027, 1, 29), (2027, 4, 29));
    // The second wait and those after it are the longest that there is.
    for (mood, wait) in [(Mood::Broken, 66 * DAY), (Mood::Refuses, DAY / 4), (Mood::Confused, DAY / 4)] {
        let failures = orders(&proxy, "failed");
        authority.mood(mood);
        proxy.clock.advance(wait);
        wait_until("it has failed", || (orders(&proxy, "failed") > failures).then_some(()));
        assert_eq!(shown(&proxy).as_ref(), Some(&first), "{mood:?}");
        let said = wait_until("readyz says so", || Some(readyz(&proxy)).filter(|said| said.contains("not renewed")));
        assert!(said.contains("expires 2027-02-22T00:00:00Z"), "{mood:?}: {said}");
        if mood == Mood::Refuses {
            wait_until("readyz says why", || readyz(&proxy).contains("it is somewhere else").then_some(()));
        }
    }
    authority.mood(Mood::Works);
    proxy.clock.advance(Duration::from_secs(6 * 3600));
    wait_until("it is renewed", || shown(&proxy).filter(|second| *second != first));
}

#[test]
fn an_account_that_the_authority_forgot_is_replaced() {
    let authority = Authority::start();
    let proxy = start(&authority, "http-01");
    find(&authority, &proxy);
    let first = obtained(&proxy);
    wait_until("it is counted", || (orders(&proxy, "obtained") == 1).then_some(()));
    authority.valid((2027, 1, 29), (2027, 4, 29));
    authority.forget();
    proxy.clock.advance(66 * DAY);
    wait_until("it has failed", || (orders(&proxy, "failed") == 1).then_some(()));
    proxy.clock.advance(Duration::from_secs(60));
    wait_until("it is renewed", || shown(&proxy).filter(|second| *second != first));
    assert_eq!(authority.accounts(), 2);
}

#[test]
fn a_reload_with_another_name_obtains_its_certificate_and_keeps_the_others() {
    let authority = Authority::start();
    let proxy = start(&authority, "http-01");
    find(&authority, &proxy);
    let first = obtained(&proxy);
    wait_until("it is counted", || (orders(&proxy, "obtained") == 1).then_some(()));
    let of = |name| {
        let stream = handshake(proxy.address(), certificates::trusting_anyone(), name).ok()?;
        Some(stream.conn.peer_certificates().expect("a certificate")[0].to_vec())
    };
    // No certificate is for this name: it gets the default one.
    assert_eq!(of("new.test").as_ref(), Some(&first));
    let changed = yaml(&authority, "tls-alpn-01").replace("[APP.test, ", "[APP.test, new.test, ");
    proxy.reload(&changed).expect("it is valid");
    let second = wait_until("it is obtained", || of("new.test").filter(|second| *second != first));
    assert_eq!((shown(&proxy).as_ref(), of("new.test").as_ref()), (Some(&first), Some(&second)));
    assert_eq!((authority.issued().len(), authority.accounts()), (2, 1));
    // And without ACME.
    let plain = yaml(&authority, "http-01");
    let at = plain.find("acme:\n").expect("a section");
    let end = plain.find("admin:").expect("a section");
    let files = "certificates: [{ certificate_file: cert.pem, private_key_file: key.pem }]";
    let plain = format!("{}{}", &plain[..at], &plain[end..]).replace("tls: auto", files);
    proxy.reload(&plain).expect("it is valid");
    assert_ne!(shown(&proxy).as_ref(), Some(&first));
}

#[test]
fn only_a_challenge_in_progress_is_answered() {
    let authority = Authority::start();
    let proxy = start(&authority, "http-01");
    find(&authority, &proxy);
    obtained(&proxy);
    wait_until("it is over", || (orders(&proxy, "obtained") == 1).then_some(()));
    // The token was that of the order. The path is for the rules again.
    assert_eq!(asks(proxy.address_of("plain"), "app.test", 0), "of a rule");
    assert_eq!(asks(proxy.address_of("plain"), "app.test", 1), "of a rule");
    let offering = |protocols: &[&[u8]]| {
        let mut config = std::sync::Arc::unwrap_or_clone(certificates::trusting_anyone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        handshake(proxy.address(), std::sync::Arc::new(config), "app.test")
    };
    assert!(offering(&[b"acme-tls/1"]).is_err(), "no challenge is in progress");
    let both = offering(&[b"acme-tls/1", b"h2"]).expect("an ordinary client");
    assert_eq!(both.conn.alpn_protocol(), Some(&b"h2"[..]));
}

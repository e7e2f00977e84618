//! What a reload means for connections that are open.

use std::time::Duration;

use super::harness_of::{Answered, HTTP1, fetch_as, verify_with, yaml};
use crate::harness::app::Proxy;
use crate::harness::authorities::Authority;
use crate::harness::browser::on_both;
use crate::harness::connection::{Connection, empty, whole};
use crate::harness::runtime;
use crate::harness::target;

/// The status of a request, and whether the connection has ended after it.
async fn ask(connection: &mut Connection) -> u16 {
    let request = connection.request("GET", "/").body(empty()).expect("a request");
    whole(connection.send(request).await.expect("an answer")).await.0.status
}

fn reload(proxy: &Proxy, list: &str) {
    std::fs::write(proxy.folder().join("list-0.pem"), list).expect("written");
    tokio::task::block_in_place(|| proxy.reload(&proxy.yaml())).expect("it is sound");
}

#[test]
fn t_04_a_new_list_of_revoked_certificates_counts_for_open_connections() {
    on_both(|protocol| {
        let (target, authority) = (target::echo(), Authority::new("Staff CA"));
        let proxy = verify_with(&target, &[&authority], &[authority.list(&[], 2030)], "", "");
        let with =
            |serial: u64| authority.issue(|params| params.serial_number = Some(rcgen::SerialNumber::from(serial)));
        let (seven, eight) = (with(7), with(8));
        runtime().block_on(async {
            let mut open = Connection::open_as(protocol, proxy.address(), "app.test", &seven).await;
            let mut other = Connection::open_as(protocol, proxy.address(), "app.test", &eight).await;
            assert_eq!((ask(&mut open).await, ask(&mut other).await), (200, 200));
            reload(&proxy, &authority.list(&[7], 2030));
            assert_eq!((ask(&mut open).await, ask(&mut other).await), (421, 200));
            // The connection ends, so that the client opens another, whose handshake decides.
            open.closed().await.expect("closed in order");
            assert_eq!(ask(&mut other).await, 200);
        });
        assert!(matches!(fetch_as(proxy.address(), &seven, HTTP1, &[]), Answered::Not(_)));
        // Workers write their records in any order.
        let records = proxy.access_log(5);
        let refused = records.iter().filter_map(|record| record["reason"].as_str());
        assert_eq!(refused.collect::<Vec<_>>(), ["request.client_certificate"]);
        // A list that cannot be read changes nothing.
        std::fs::write(proxy.folder().join("list-0.pem"), "no list").expect("written");
        proxy.reload(&proxy.yaml()).expect_err("it has a mistake");
        assert!(matches!(fetch_as(proxy.address(), &seven, HTTP1, &[]), Answered::Not(_)));
        assert!(matches!(fetch_as(proxy.address(), &eight, HTTP1, &[]), Answered::With(200, _)));
    });
}

#[test]
fn a_listener_that_begins_to_verify_trusts_no_connection_that_is_open() {
    on_both(|protocol| {
        let (target, authority) = (target::echo(), Authority::new("Staff CA"));
        let stores = "trust_stores: { staff: { ca_files: [staff.pem] } }\n";
        let before = yaml(&target, "", "");
        let proxy = Proxy::start(&before);
        std::fs::write(proxy.folder().join("staff.pem"), &authority.pem).expect("written");
        runtime().block_on(async {
            let mut open = Connection::open(protocol, proxy.address(), "app.test").await;
            assert_eq!(ask(&mut open).await, 200);
            let yaml = yaml(&target, &super::harness_of::verifying(""), stores);
            tokio::task::block_in_place(|| proxy.reload(&yaml)).expect("it is sound");
            assert_eq!(ask(&mut open).await, 421);
        });
        // And back: no header of a certificate that nobody asks for any more.
        let ada = authority.issue(|_| {});
        runtime().block_on(async {
            let mut open = Connection::open_as(protocol, proxy.address(), "app.test", &ada).await;
            let request = open.request("GET", "/").body(empty()).expect("a request");
            let text = whole(open.send(request).await.expect("an answer")).await.0.text().to_owned();
            assert!(text.contains("x-amzn-mtls-clientcert-subject"), "{text}");
            tokio::task::block_in_place(|| proxy.reload(&before)).expect("it is sound");
            let request = open.request("GET", "/").body(empty()).expect("a request");
            let text = whole(open.send(request).await.expect("an answer")).await.0.text().to_owned();
            assert!(!text.contains("x-amzn-mtls-clientcert-subject"), "{text}");
        });
    });
}

#[test]
fn a_certificate_that_expires_ends_its_connection() {
    on_both(|protocol| {
        let (target, authority) = (target::echo(), Authority::new("Staff CA"));
        let proxy = super::verify(&target, &authority, "");
        // The clock begins at 2026-11-24T08:00:00Z.
        let ada = authority.issue(|params| params.not_after = rcgen::date_time_ymd(2026, 11, 25));
        runtime().block_on(async {
            let mut open = Connection::open_as(protocol, proxy.address(), "app.test", &ada).await;
            assert_eq!(ask(&mut open).await, 200);
            proxy.clock.advance(Duration::from_secs(16 * 3600));
            assert_eq!(ask(&mut open).await, 200, "the last second");
            proxy.clock.advance(Duration::from_secs(1));
            assert_eq!(ask(&mut open).await, 421);
        });
    });
}

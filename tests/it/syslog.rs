//! The access log as syslog messages, read by a parser that nobody here wrote.

use serde_json::Value;

use crate::harness::app::{Proxy, Setup, folder};
use crate::harness::browser::Protocol;
use crate::harness::process::{self, Process};
use crate::harness::target;

fn server(arguments: &[&str]) -> (Process, String) {
    let server = Process::start(process::python("python/syslog_server.py", arguments));
    let at = server.next_line().expect("a port or a path");
    (server, at)
}

/// A proxy whose access log goes to the server at `address`.
fn proxy(setup: &Setup, address: &str) -> Proxy {
    let file = "access_log: { destination: access.log }\n";
    assert!(setup.yaml().contains(file));
    let syslog = format!("destination: syslog, syslog: {{ address: '{address}', facility: local3, app_name: door }}");
    Proxy::start(&setup.yaml().replace(file, &format!("access_log: {{ {syslog} }}\n")))
}

#[track_caller]
fn assert_record(message: &Value, path: &str) {
    if let Some(local) = message["local"].as_str() {
        let (head, record) = local.split_once(&format!(" door[{}]: ", std::process::id())).expect("a head");
        assert!(head.starts_with("<158>") && head.len() == "<158>Nov 24 08:00:00".len(), "{local}");
        let record: Value = serde_json::from_str(record).expect("JSON");
        assert_eq!(record["url.path"], path);
        return;
    }
    assert_eq!(message["facility"], "local3", "{message}");
    assert_eq!(message["severity"], "info", "{message}");
    assert_eq!((&message["appname"], &message["msgid"]), (&"door".into(), &"access".into()), "{message}");
    assert_eq!(message["procid"], std::process::id(), "{message}");
    let record: Value = serde_json::from_str(message["msg"].as_str().expect("text")).expect("JSON");
    assert_eq!(record["url.path"], path);
}

#[test]
fn records_are_messages_over_every_transport() {
    let target = target::echo();
    let setup = Setup::open(&[target.address()]);
    let place = folder();
    let path = place.join("log");
    for (kind, scheme) in [("unix", "unix://"), ("udp", "udp://127.0.0.1:"), ("tcp", "tcp://127.0.0.1:")] {
        let (server, at) = match kind {
            "unix" => server(&[kind, path.to_str().expect("text")]),
            _ => server(&[kind]),
        };
        let proxy = proxy(&setup, &format!("{scheme}{at}"));
        let mut browser = proxy.browser(Protocol::Http2);
        for path in ["/one%20blank", "/two"] {
            assert_eq!(browser.get(&format!("https://app.test{path}")).status, 200);
        }
        // Records of different workers have no order.
        let mut messages = [server.next_json(), server.next_json()];
        messages.sort_by_key(|message| message.to_string().contains("/two"));
        assert_record(&messages[0], "/one%20blank");
        assert_record(&messages[1], "/two");
    }
    let _ = std::fs::remove_dir_all(place);
}

#[test]
fn records_without_a_server_are_counted_and_requests_do_not_wait() {
    let target = target::echo();
    let place = folder();
    let path = place.join("log");
    let mut proxy = proxy(&Setup::open(&[target.address()]), &format!("unix://{}", path.display()));
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(browser.get("https://app.test/lost").status, 200);
    crate::harness::app::wait_until("the record is dropped", || {
        (proxy.metric("vestibule_access_log_dropped_total") == 1).then_some(())
    });
    let (server, _) = server(&["unix", path.to_str().expect("text")]);
    assert_eq!(browser.get("https://app.test/kept").status, 200);
    assert_record(&server.next_json(), "/kept");
    assert!(proxy.shutdown());
    let _ = std::fs::remove_dir_all(place);
}

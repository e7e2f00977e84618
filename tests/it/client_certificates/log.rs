//! What the log of the process says about certificates that are refused.

use std::net::{SocketAddr, TcpStream};

use super::harness_of::{BOTH, fetch, fetch_as, verifying, without, yaml};
use crate::harness::app::{folder, free_port, wait_until};
use crate::harness::authorities::Authority;
use crate::harness::certificates;
use crate::harness::process::{self, Process};
use crate::harness::target;

#[test]
fn a_refused_handshake_is_one_line_with_the_client_and_the_certificate() {
    let (target, folder, port) = (target::echo(), folder(), free_port());
    certificates::write_to(&folder);
    std::fs::write(folder.join("staff.pem"), Authority::new("Staff CA").pem).expect("written");
    let more = "trust_stores: { staff: { ca_files: [staff.pem] } }\nlog: { format: json }\n";
    let file = folder.join("vestibule.yaml");
    let text = yaml(&target, &verifying(""), more).replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    std::fs::write(&file, text).expect("written");
    let process = Process::start(process::vestibule(&["serve", "--config", file.to_str().expect("UTF-8")]));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("the listener accepts", || TcpStream::connect(address).ok());
    let stranger = Authority::new("Another CA").issue(|_| {});
    for version in BOTH {
        let _ = fetch_as(address, &stranger, version, &[]);
        let _ = fetch(address, without(&[version]), &[]);
    }
    let of = |errors: &str| {
        let lines = errors.lines().filter(|line| line.contains("certificate"));
        lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")).collect::<Vec<_>>()
    };
    wait_until("four handshakes are in the log", || (of(&process.errors()).len() >= 4).then_some(()));
    process.signal("TERM");
    let lines = of(&process.finish().errors);
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in &lines {
        assert_eq!(line["message"], "a handshake is refused because of the client's certificate");
        assert_eq!((&line["listener"], &line["client.address"]), (&"public".into(), &"127.0.0.1".into()), "{line}");
        assert!(line["client.port"].is_u64(), "{line}");
    }
    let shown: Vec<_> = lines.iter().filter(|line| line["cause"] == "unknown_authority").collect();
    assert_eq!(shown.len(), 2, "{lines:?}");
    for line in shown {
        assert_eq!(line["tls.client.subject"], "CN=ada", "{line}");
        assert_eq!(line["tls.client.hash.sha256"].as_str().map(str::len), Some(64), "{line}");
        assert!(line["error"].as_str().is_some_and(|error| !error.is_empty()), "{line}");
    }
    let none: Vec<_> = lines.iter().filter(|line| line["cause"] == "none").collect();
    assert!(none.len() == 2 && none.iter().all(|line| line.get("tls.client.subject").is_none()), "{lines:?}");
}

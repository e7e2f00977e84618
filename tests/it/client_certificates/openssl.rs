//! The same with a client and an authority that nobody here wrote: curl and OpenSSL.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::harness_of::{verifying, yaml};
use crate::harness::app::{Proxy, START, folder, wait_until};
use crate::harness::process::needed_on_path;
use crate::harness::target;

#[track_caller]
fn openssl(folder: &Path, arguments: &str) -> String {
    let arguments = arguments.split_whitespace().map(|one| one.replace('~', " "));
    let output = Command::new(needed_on_path("openssl")).args(arguments).current_dir(folder).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn curl(proxy: &Proxy, who: &str, more: &[&str]) -> Output {
    let port = proxy.address().port();
    let mut curl = Command::new(needed_on_path("curl"));
    // OpenSSL itself does not use weak keys and SHA-1 above this level.
    let weak =
        "openssl_conf = c\n[c]\nssl_conf = s\n[s]\nsystem_default = d\n[d]\nCipherString = DEFAULT:@SECLEVEL=0\n";
    std::fs::write(proxy.folder().join("weak.cnf"), weak).expect("written");
    curl.env("OPENSSL_CONF", proxy.folder().join("weak.cnf"));
    curl.current_dir(proxy.folder()).args(["--silent", "--show-error", "--cacert", "ca.pem", "--max-time", "20"]);
    curl.arg("--resolve").arg(format!("app.test:{port}:127.0.0.1")).args(more);
    curl.arg("--cert").arg(format!("{who}.pem")).arg("--key").arg(format!("{who}-key.pem"));
    curl.arg(format!("https://app.test:{port}/")).output().expect("it runs")
}

/// A certificate of the authority in `staff.pem`.
fn issue(folder: &Path, who: &str, subject: &str, key: &str, digest: &str) {
    openssl(folder, &format!("req -newkey {key} -nodes -keyout {who}-key.pem -out {who}.csr -utf8 -subj {subject}"));
    openssl(
        folder,
        &format!(
            "x509 -req -in {who}.csr -CA staff.pem -CAkey staff-key.pem -set_serial 0x1234 -days 5000 {digest} -extfile v3.cnf -out {who}.pem"
        ),
    );
}

#[test]
fn curl_is_let_in_with_a_certificate_of_openssl_and_its_names_are_those_that_openssl_prints() {
    let (target, folder) = (target::echo(), folder());
    std::fs::write(folder.join("v3.cnf"), "extendedKeyUsage = clientAuth\n").expect("written");
    openssl(
        &folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout staff-key.pem -out staff.pem -days 5000 -subj /O=Example/CN=Staff~CA",
    );
    let odd = r#"/C=DE/O=Example,~Inc./OU=a+b/emailAddress=ada@app.test/serialNumber=5/CN=J\"ürgen;~<1>"#;
    for (who, subject, key, digest) in [
        ("ada", odd, "rsa:2048", "-sha256"),
        ("p521", "/CN=p521", "ec -pkeyopt ec_paramgen_curve:P-521", "-sha512"),
        ("weak", "/CN=weak", "rsa:1024", "-sha256"),
        ("sha1", "/CN=sha1", "rsa:2048", "-sha1"),
    ] {
        issue(&folder, who, subject, key, digest);
    }
    let stores = "trust_stores: { staff: { ca_files: [staff.pem] } }\n";
    let started_in = folder.clone();
    // The certificates of OpenSSL begin to be valid now, by the clock of the machine.
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let at = vestibule::clock::Timestamp::from_seconds(at.max(START.seconds()) + 60);
    let proxy = Proxy::start_in(folder, &yaml(&target, &verifying(""), stores), at);
    for version in
        [&["--http1.1", "--tls-max", "1.2"][..], &["--http1.1"], &["--http2"], &["--http2", "--tls-max", "1.2"]]
    {
        let output = curl(&proxy, "ada", version);
        let echoed: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error} {version:?} {}", String::from_utf8_lossy(&output.stderr)));
        let header = |name: &str| {
            let pairs = echoed["headers"].as_array().expect("headers");
            pairs.iter().find(|pair| pair[0].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name))).expect("sent")[1]
                .clone()
        };
        for (name, option) in [("subject", "-subject"), ("issuer", "-issuer")] {
            let printed = openssl(&started_in, &format!("x509 -in ada.pem -noout -nameopt RFC2253 {option}"));
            let (_, printed) = printed.trim_end().split_once('=').expect("a name");
            assert_eq!(header(&format!("x-amzn-mtls-clientcert-{name}")), printed);
        }
        assert_eq!(header("x-amzn-mtls-clientcert-serial-number"), "1234");
    }
    assert!(curl(&proxy, "p521", &[]).status.success());
    for who in ["weak", "sha1"] {
        let series = "vestibule_tls_handshakes_failed_total{listener=\"public\"}";
        let before = proxy.metric(series);
        let output = curl(&proxy, who, &[]);
        assert!(!output.status.success(), "{who}: {}", String::from_utf8_lossy(&output.stdout));
        wait_until("the proxy has refused it", || (proxy.metric(series) > before).then_some(()));
    }
}

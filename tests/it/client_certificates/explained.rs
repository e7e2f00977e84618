//! `check --request --client-certificate` and `client_certificate` of `vestibule test` say what the listener does.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, SerialNumber, date_time_ymd};
use serde_json::{Value, json};

use super::harness_of::{Answered, HTTP1, fetch, fetch_as, passthrough, verifying, without};
use crate::harness::app::{Proxy, START, Setup, folder};
use crate::harness::authorities::{Authority, ClientCertificate};
use crate::harness::process::{self, Finished, Process};
use crate::harness::target;

fn run(arguments: &[&str]) -> Finished {
    Process::start(process::vestibule(arguments)).finish()
}

fn named(name: &str) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
    }
}

/// The outcome that `check` tells of a request of this client.
#[track_caller]
fn told(proxy: &Proxy, who: Option<&ClientCertificate>) -> Value {
    let folder = proxy.folder();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(at("explained.yaml"), proxy.yaml()).expect("a configuration");
    let (config, pem) = (at("explained.yaml"), at("client.pem"));
    let mut arguments = vec!["check", "--json", "--config", &config, "--request", "GET https://app.test/"];
    if let Some(who) = who {
        std::fs::write(&pem, &who.chain).expect("a certificate");
        arguments.extend(["--client-certificate", &pem]);
    }
    let told = run(&arguments);
    assert_eq!(told.code, Some(0), "{}", told.errors);
    serde_json::from_str::<Value>(&told.output).expect("JSON")[0]["outcome"].take()
}

/// What happens, and what is told of it: both are the same.
#[track_caller]
fn same(proxy: &Proxy, who: Option<&ClientCertificate>, expected: &str) {
    let served = match who {
        Some(who) => fetch_as(proxy.address(), who, HTTP1, &[]),
        None => fetch(proxy.address(), without(&[HTTP1]), &[]),
    };
    let told = told(proxy, who);
    let of = |told: &Value| match told["type"].as_str() {
        Some("no-connection") => told["cause"].as_str().expect("a cause").to_owned(),
        Some("refuse") => format!("{} {}", told["status"], told["reason"].as_str().expect("a reason")),
        other => other.expect("a type").to_owned(),
    };
    assert_eq!(of(&told), expected, "{told}");
    match served {
        Answered::Not(_) => assert_eq!(told["type"], "no-connection", "{told}"),
        Answered::With(200, echoed) => {
            assert_eq!(told["type"], "forward", "{told}");
            let mtls = |list: &Value, pair: &dyn Fn(&Value) -> (String, String)| {
                let pairs = list.as_array().expect("headers").iter().map(pair);
                let mut all: Vec<_> = pairs.filter(|(name, _)| name.starts_with("x-amzn-mtls-")).collect();
                all.sort();
                all
            };
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let got = mtls(&echoed["headers"], &|pair| (text(&pair[0]).to_ascii_lowercase(), text(&pair[1])));
            let said = mtls(&told["headers"], &|header| (text(&header["name"]), text(&header["value"])));
            assert_eq!(got, said);
            assert_eq!(who.is_some(), !said.is_empty(), "{said:?}");
        }
        Answered::With(status, _) => assert_eq!(told["status"], status, "{told}"),
    }
}

#[test]
fn what_is_told_of_a_certificate_is_what_the_handshake_and_the_rule_do() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let folder = folder();
    std::fs::write(folder.join("staff.pem"), &authority.pem).expect("written");
    std::fs::write(folder.join("list.pem"), authority.list(&[7], 2040)).expect("written");
    let actions = "
      - { type: authorize, all: [{ client_certificate: { subject: [CN=ada] } }] }
      - { type: forward, target_group: app }";
    let setup = Setup::open(&[target.address()]).listener(&verifying("")).default_actions(actions);
    let yaml = setup.yaml() + "trust_stores: { staff: { ca_files: [staff.pem], crl_files: [list.pem] } }\n";
    let proxy = Proxy::start_in(folder, &yaml, START);
    same(&proxy, Some(&authority.issue(|_| {})), "forward");
    same(&proxy, Some(&authority.issue(named("bob"))), "403 auth.certificate_not_allowed");
    same(&proxy, None, "none");
    same(&proxy, Some(&Authority::new("Other CA").issue(|_| {})), "unknown_authority");
    same(&proxy, Some(&Authority::new("Staff CA").issue(|_| {})), "signature");
    same(&proxy, Some(&authority.issue(|params| params.not_after = date_time_ymd(2021, 1, 1))), "expired");
    same(&proxy, Some(&authority.issue(|params| params.serial_number = Some(SerialNumber::from(7_u64)))), "revoked");
    let server = [ExtendedKeyUsagePurpose::ServerAuth];
    same(&proxy, Some(&authority.issue(|params| params.extended_key_usages = server.to_vec())), "purpose");
}

#[test]
fn what_is_passed_through_is_told_to_the_target_and_not_verified() {
    let target = target::echo();
    let proxy = passthrough(&target);
    same(&proxy, Some(&Authority::new("Anybody").issue(|_| {})), "forward");
    same(&proxy, None, "forward");
}

#[test]
fn a_case_has_the_certificate_of_a_client() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let folder = folder();
    std::fs::write(folder.join("staff.pem"), &authority.pem).expect("written");
    let rule = "
      - name: staff
        priority: 1
        conditions: [{ path_pattern: [/staff/*] }]
        actions:
          - { type: authorize, all: [{ client_certificate: { subject: [CN=ada] } }] }
          - { type: forward, target_group: app }";
    let setup = Setup::open(&[target.address()]).listener(&verifying("")).rules(rule);
    let proxy =
        Proxy::start_in(folder, &(setup.yaml() + "trust_stores: { staff: { ca_files: [staff.pem] } }\n"), START);
    let folder = proxy.folder();
    let at = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(at("vestibule.yaml"), proxy.yaml()).expect("a configuration");
    std::fs::write(at("ada.pem"), authority.issue(|_| {}).chain).expect("a certificate");
    std::fs::write(at("bob.pem"), authority.issue(named("bob")).chain).expect("a certificate");
    std::fs::write(at("other.pem"), Authority::new("Other").issue(|_| {}).chain).expect("a certificate");
    std::fs::write(at("empty.pem"), "nothing\n").expect("a file");
    let request = "request: GET https://app.test/staff/";
    let case = |name: &str, more: &str, expect: &str| {
        format!("  - {{ name: {name}, {request}, listener: public{more}, expect: {{ {expect} }} }}\n")
    };
    let cases = "config: vestibule.yaml\ncases:\n".to_owned()
        + &case("ada", ", client_certificate: ada.pem", "rule: staff, outcome: forward")
        + &case("bob", ", client_certificate: bob.pem", "outcome: refuse, reason: auth.certificate_not_allowed")
        + &case("other", ", client_certificate: other.pem", "outcome: no-connection, reason: unknown_authority")
        + &case("none", "", "outcome: no-connection, reason: none");
    std::fs::write(at("policy.yaml"), &cases).expect("cases");
    let held = run(&["test", &at("policy.yaml")]);
    assert_eq!(held.code, Some(0), "{}{}", held.output, held.errors);
    assert!(held.output.ends_with("\n4 of 4 cases hold\n"), "{}", held.output);

    // The certificates are those that decide.
    std::fs::write(at("policy.yaml"), cases.replace(": bob.pem", ": ada.pem").replace(": other.pem", ": ada.pem"))
        .expect("cases");
    let failed = run(&["test", "--json", &at("policy.yaml")]);
    assert_eq!(failed.code, Some(1), "{}", failed.errors);
    assert_eq!(serde_json::from_str::<Value>(&failed.output).expect("JSON")["failed"], json!(2), "{}", failed.output);
    assert!(failed.output.contains("client certificate `CN=ada` of `CN=Staff CA`: accepted"), "{}", failed.output);

    for (file, expected) in [("gone.pem", "the file cannot be read"), ("empty.pem", "the file has no certificate")] {
        std::fs::write(at("policy.yaml"), cases.replacen("ada.pem", file, 1)).expect("cases");
        let finished = run(&["test", &at("policy.yaml")]);
        assert_eq!(finished.code, Some(2), "{}{}", finished.output, finished.errors);
        assert!(finished.errors.contains(expected), "{}", finished.errors);
    }
    let checked = run(&[
        "check",
        "--config",
        &at("vestibule.yaml"),
        "--request",
        "GET https://app.test/staff/",
        "--client-certificate",
        &at("bob.pem"),
    ]);
    for expected in [
        "  client certificate `CN=bob` of `CN=Staff CA`: accepted\n",
        "    authorize: refuses with 403 `auth.certificate_not_allowed`\n",
        "`subject` of the client's certificate is `CN=ada`: no",
    ] {
        assert!(checked.output.contains(expected), "{expected}: {}", checked.output);
    }
}

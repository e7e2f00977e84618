//! The TLS settings of `listeners`: certificates, policies, ticket keys, OCSP.

use insta::assert_snapshot;

use super::{report, warnings};

#[test]
fn https_without_certificates() {
    let changes =
        [("    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n", "")];
    assert_snapshot!(report("certificates", &changes), @r#"
    error: an `https` listener needs a certificate
     --> vestibule.yaml:2:5
      |
    2 |   - name: public
      |     ^
      |
      = at: listeners[0].certificates
      = help: add `certificates: [{ certificate_file: FILE, private_key_file: FILE }]`, or `tls: auto`
    "#);
}

#[test]
fn certificates_that_cannot_be_used() {
    let more = "    certificates:\n      - { certificate_file: tls.pem, private_key_file: other-key.pem }\n      - { certificate_file: gone.pem, private_key_file: tls-key.pem }\n      - { certificate_file: secret, private_key_file: tls-key.pem }\n      - { certificate_file: tls.pem, private_key_file: secret }\n";
    assert_snapshot!(report("unusable", &[("    certificates:\n", more)]), @r#"
    error: `DIR/other-key.pem`: the private key does not belong to the certificate (the first of the chain)
     --> vestibule.yaml:6:56
      |
    6 |       - { certificate_file: tls.pem, private_key_file: other-key.pem }
      |                                                        ^^^^^^^^^^^^^
      |
      = at: listeners[0].certificates[0].private_key_file

    error: the file `DIR/gone.pem` cannot be read: no such file or directory
     --> vestibule.yaml:7:29
      |
    7 |       - { certificate_file: gone.pem, private_key_file: tls-key.pem }
      |                             ^^^^^^^^
      |
      = at: listeners[0].certificates[1].certificate_file

    error: `DIR/secret`: the file holds no certificate in PEM form
     --> vestibule.yaml:8:29
      |
    8 |       - { certificate_file: secret, private_key_file: tls-key.pem }
      |                             ^^^^^^
      |
      = at: listeners[0].certificates[2].certificate_file

    error: `DIR/secret`: the file holds no private key in PEM form
     --> vestibule.yaml:9:56
      |
    9 |       - { certificate_file: tls.pem, private_key_file: secret }
      |                                                        ^^^^^^
      |
      = at: listeners[0].certificates[3].private_key_file
    "#);
}

#[test]
fn a_tls_policy_of_the_load_balancer_that_cannot_be_served() {
    let said = |name: &str, policy: &str| {
        report(name, &[("protocol: https\n", &format!("protocol: https\n    tls_policy: {policy}\n"))])
    };
    assert_snapshot!(said("policy-old", "ELBSecurityPolicy-2016-08"), @r"
    error: the policy `ELBSecurityPolicy-2016-08` cannot be served: it has TLS 1.0
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: ELBSecurityPolicy-2016-08
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: `TLS13-1-2-Res` serves every client with TLS 1.3, or with TLS 1.2 and ECDHE with AES-GCM
    ");
    assert_snapshot!(said("policy-ext", "ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06"), @r"
    error: the policy `ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06` cannot be served: it has cipher suites with CBC or with RSA key exchange, which has no forward secrecy
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: `TLS13-1-2-Res` serves every client with TLS 1.3, or with TLS 1.2 and ECDHE with AES-GCM
    ");
    assert_snapshot!(said("policy-cbc", "ELBSecurityPolicy-TLS13-1-2-2021-06"), @r"
    error: the policy `ELBSecurityPolicy-TLS13-1-2-2021-06` cannot be served: it has cipher suites with CBC
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: ELBSecurityPolicy-TLS13-1-2-2021-06
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: `TLS13-1-2-Res` serves every client with TLS 1.3, or with TLS 1.2 and ECDHE with AES-GCM
    ");
    assert_snapshot!(said("policy-typo", "TLS13-1-2-Rse"), @r"
    error: there is no TLS policy `TLS13-1-2-Rse`
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: TLS13-1-2-Rse
      |                 ^^^^^^^^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: did you mean `TLS13-1-2-Res`?
    ");
    assert_snapshot!(said("policy-other", "modern"), @r"
    error: there is no TLS policy `modern`
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: modern
      |                 ^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: expected one of `TLS13-1-2-Res`, `TLS13-1-3`, `ELBSecurityPolicy-TLS13-1-2-Res-2021-06`, `ELBSecurityPolicy-TLS13-1-3-2021-06`, `ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09` or `ELBSecurityPolicy-TLS13-1-3-PQ-2025-09`
    ");
}

#[test]
fn every_tls_policy_that_can_be_served() {
    for (index, policy) in [
        "TLS13-1-2-Res",
        "TLS13-1-3",
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
        "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    ]
    .into_iter()
    .enumerate()
    {
        let changes = [("protocol: https\n", &*format!("protocol: https\n    tls_policy: {policy}\n"))];
        assert_eq!(warnings(&format!("policy-{index}"), &changes), "", "{policy}");
    }
}

#[test]
fn tls_settings_of_an_http_listener() {
    let plain = "listeners:\n  - name: plain\n    address: 0.0.0.0:8080\n    protocol: http\n    tls_policy: TLS13-1-3\n    ticket_key_files: [session-key]\n    default_actions: [{ type: fixed-response, status_code: 404 }]\n";
    assert_snapshot!(report("plain-tls", &[("listeners:\n", plain)]), @r"
    error: `tls_policy` is not allowed on an `http` listener
     --> vestibule.yaml:5:17
      |
    5 |     tls_policy: TLS13-1-3
      |                 ^^^^^^^^^
      |
      = at: listeners[0].tls_policy
      = help: set `protocol: https`, or remove `tls_policy`

    error: `ticket_key_files` is not allowed on an `http` listener
     --> vestibule.yaml:6:5
      |
    6 |     ticket_key_files: [session-key]
      |     ^^^^^^^^^^^^^^^^
      |
      = at: listeners[0].ticket_key_files
      = help: set `protocol: https`, or remove `ticket_key_files`
    ");
}

#[test]
fn ticket_keys_that_cannot_be_used() {
    let keys = "protocol: https\n    ticket_key_files: [gone, short-key]\n";
    assert_snapshot!(report("ticket-keys", &[("protocol: https\n", keys)]), @r"
    error: the key file `DIR/gone` does not exist
     --> vestibule.yaml:5:24
      |
    5 |     ticket_key_files: [gone, short-key]
      |                        ^^^^
      |
      = at: listeners[0].ticket_key_files[0]
      = help: `vestibule keys ticket --out DIR/gone` creates it; all replicas need the same key

    error: the file `DIR/short-key` holds a key of 64 bits; it needs at least 256
     --> vestibule.yaml:5:30
      |
    5 |     ticket_key_files: [gone, short-key]
      |                              ^^^^^^^^^
      |
      = at: listeners[0].ticket_key_files[1]
      = help: `vestibule keys ticket --out FILE` creates one
    ");
}

#[test]
fn ocsp_responses_that_cannot_be_used() {
    let with = |file: &str| format!("        private_key_file: tls-key.pem\n        ocsp_file: {file}\n");
    let at = "        private_key_file: tls-key.pem\n";
    assert_snapshot!(report("ocsp-gone", &[(at, &with("gone"))]), @r"
    error: the file `DIR/gone` cannot be read: no such file or directory
     --> vestibule.yaml:8:20
      |
    8 |         ocsp_file: gone
      |                    ^^^^
      |
      = at: listeners[0].certificates[0].ocsp_file
    ");
    assert_snapshot!(report("ocsp-pem", &[(at, &with("tls.pem"))]), @r"
    error: the file `DIR/tls.pem` is not an OCSP response in DER form
     --> vestibule.yaml:8:20
      |
    8 |         ocsp_file: tls.pem
      |                    ^^^^^^^
      |
      = at: listeners[0].certificates[0].ocsp_file
      = help: `openssl ocsp … -respout FILE` writes one
    ");
    assert_snapshot!(warnings("ocsp-other", &[(at, &with("ocsp-of-another"))]), @r"
    warning: the file `DIR/ocsp-of-another` is about another certificate; it is not sent to clients
     --> vestibule.yaml:8:20
      |
    8 |         ocsp_file: ocsp-of-another
      |                    ^^^^^^^^^^^^^^^
      |
      = at: listeners[0].certificates[0].ocsp_file
    ");
    assert_snapshot!(warnings("ocsp-refused", &[(at, &with("ocsp-refused"))]), @r"
    warning: the file `DIR/ocsp-refused` is an error of the OCSP responder (status 6); it is not sent to clients
     --> vestibule.yaml:8:20
      |
    8 |         ocsp_file: ocsp-refused
      |                    ^^^^^^^^^^^^
      |
      = at: listeners[0].certificates[0].ocsp_file
    ");
}

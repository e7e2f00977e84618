//! `acme`, and listeners with `tls: auto`.

use insta::assert_snapshot;

use super::{report, report_of, warnings};

const FILES: &str =
    "    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n    rules:\n";
const ACME: &str =
    "acme:\n  directory: https://acme.test/directory\n  directory_path: acme\n  terms_of_service_agreed: true\n";

/// A host for which a certificate can be obtained.
const HOST: (&str, &str) = ("          - path_pattern: [\"/api/*\"]\n", "          - host_header: [app.example.com]\n");

#[test]
fn a_file_without_mistakes() {
    let with = [(FILES, "    tls: auto\n    rules:\n"), HOST, ("session:\n", &format!("{ACME}session:\n"))];
    assert_eq!(warnings("acme-sound", &with), "");
}

#[test]
fn auto_without_an_authority() {
    assert_snapshot!(report("acme-none", &[(FILES, "    tls: auto\n    rules:\n"), HOST]), @r"
    error: `acme` is missing: the listener `public` has `tls: auto`
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: acme
      = help: add `acme: { directory: URL, directory_path: FOLDER, terms_of_service_agreed: true }`
    ");
}

#[test]
fn an_authority_without_a_listener() {
    assert_snapshot!(warnings("acme-unused", &[("session:\n", &format!("{ACME}session:\n"))]), @r"
    warning: no listener has `tls: auto`
      --> vestibule.yaml:32:1
       |
    32 | acme:
       | ^^^^
       |
       = at: acme
    ");
}

#[test]
fn auto_without_a_name() {
    let with = |host: &str| {
        [
            (FILES.to_owned(), "    tls: auto\n    rules:\n".to_owned()),
            (HOST.0.to_owned(), host.to_owned()),
            ("session:\n".to_owned(), format!("{ACME}session:\n")),
        ]
    };
    let said = |name: &str, host: &str| {
        let changes = with(host);
        report(name, &changes.each_ref().map(|(from, to)| (from.as_str(), to.as_str())))
    };
    assert_snapshot!(said("acme-nameless", HOST.0), @r"
    error: there is no host name to obtain a certificate for
     --> vestibule.yaml:5:10
      |
    5 |     tls: auto
      |          ^^^^
      |
      = at: listeners[0].tls
      = help: add `host_header` conditions without wildcard, or `names` in `acme`
    ");
    // Neither a wildcard, nor a name that no authority verifies, nor an address.
    let hosts = "          - host_header: [\"*.example.com\", localhost, \"?.example.com\", 192.0.2.1]\n";
    assert_snapshot!(said("acme-wildcard", hosts), @r"
    error: there is no host name to obtain a certificate for
     --> vestibule.yaml:5:10
      |
    5 |     tls: auto
      |          ^^^^
      |
      = at: listeners[0].tls
      = help: add `host_header` conditions without wildcard, or `names` in `acme`
    ");
}

#[test]
fn values_that_cannot_be_used() {
    let acme = "acme:\n  directory: http://acme.test/directory\n  directory_path: \"\"\n  terms_of_service_agreed: false\n  email: ops\n  ca_file: secret\n  challenge: http-01\n  names: [\"*.example.com\", ../x.test, localhost, -a.test, 192.0.2.1]\n";
    let with = [(FILES, "    tls: auto\n    rules:\n"), HOST, ("session:\n", &format!("{acme}session:\n"))];
    assert_snapshot!(report("acme-values", &with), @r#"
    error: `http://acme.test/directory` is not `https`: tokens and keys would be sent unencrypted
      --> vestibule.yaml:31:14
       |
    31 |   directory: http://acme.test/directory
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: acme.directory
       = help: write `https://host/path`

    error: the path is empty
      --> vestibule.yaml:32:19
       |
    32 |   directory_path: ""
       |                   ^^
       |
       = at: acme.directory_path

    error: authorities issue no certificate without it
      --> vestibule.yaml:33:28
       |
    33 |   terms_of_service_agreed: false
       |                            ^^^^^
       |
       = at: acme.terms_of_service_agreed
       = help: read the terms of service of the authority; set `terms_of_service_agreed: true` if you agree

    error: `ops` is not an e-mail address
      --> vestibule.yaml:34:10
       |
    34 |   email: ops
       |          ^^^
       |
       = at: acme.email

    error: the file `DIR/secret` contains no certificates in PEM format
      --> vestibule.yaml:35:12
       |
    35 |   ca_file: secret
       |            ^^^^^^
       |
       = at: acme.ca_file

    error: `http-01` needs an `http` listener
      --> vestibule.yaml:36:14
       |
    36 |   challenge: http-01
       |              ^^^^^^^
       |
       = at: acme.challenge
       = help: add one that clients reach at port 80, or set `challenge: tls-alpn-01`

    error: an authority verifies no name `*.example.com`
      --> vestibule.yaml:37:11
       |
    37 |   names: ["*.example.com", ../x.test, localhost, -a.test, 192.0.2.1]
       |           ^^^^^^^^^^^^^^^
       |
       = at: acme.names[0]
       = help: write a host name without wildcard: `app.example.com`

    error: an authority verifies no name `../x.test`
      --> vestibule.yaml:37:28
       |
    37 |   names: ["*.example.com", ../x.test, localhost, -a.test, 192.0.2.1]
       |                            ^^^^^^^^^
       |
       = at: acme.names[1]
       = help: write a host name without wildcard: `app.example.com`

    error: an authority verifies no name `localhost`
      --> vestibule.yaml:37:39
       |
    37 |   names: ["*.example.com", ../x.test, localhost, -a.test, 192.0.2.1]
       |                                       ^^^^^^^^^
       |
       = at: acme.names[2]
       = help: write a host name without wildcard: `app.example.com`

    error: an authority verifies no name `-a.test`
      --> vestibule.yaml:37:50
       |
    37 |   names: ["*.example.com", ../x.test, localhost, -a.test, 192.0.2.1]
       |                                                  ^^^^^^^
       |
       = at: acme.names[3]
       = help: write a host name without wildcard: `app.example.com`

    error: an authority verifies no name `192.0.2.1`
      --> vestibule.yaml:37:59
       |
    37 |   names: ["*.example.com", ../x.test, localhost, -a.test, 192.0.2.1]
       |                                                           ^^^^^^^^^
       |
       = at: acme.names[4]
       = help: write a host name without wildcard: `app.example.com`
    "#);
}

#[test]
fn auto_on_an_http_listener() {
    let plain = format!(
        "listeners:\n  - name: plain\n    address: 0.0.0.0:8080\n    protocol: http\n    tls: auto\n    default_actions: [{{ type: fixed-response, status_code: 404 }}]\n{ACME}"
    );
    assert_snapshot!(report_of("acme-plain", &plain), @r"
    error: `tls` is not allowed on an `http` listener
     --> vestibule.yaml:5:10
      |
    5 |     tls: auto
      |          ^^^^
      |
      = at: listeners[0].tls
      = help: set `protocol: https`, or remove `tls`
    ");
}

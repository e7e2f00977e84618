//! `traces`.

use insta::assert_snapshot;

use super::{report, warnings};
use crate::config::tests::{SOUND, files, load_in};

#[track_caller]
fn of(name: &str, traces: &str) -> String {
    report(name, &[("session:\n", &format!("traces: {traces}\nsession:\n"))])
}

#[test]
fn a_collector_without_an_address() {
    assert_snapshot!(of("traces-none", "{ otlp: {} }"), @r#"
    error: `endpoint` is missing
      --> vestibule.yaml:32:11
       |
    32 | traces: { otlp: {} }
       |           ^^^^
       |
       = at: traces.otlp
       = help: URL of the collector: `https://collector:4317` for `grpc`, `https://collector:4318` for `http/protobuf`
    "#);
    assert_snapshot!(of("traces-address", "{ otlp: { endpoint: 'collector:4317' } }"), @r#"
    error: `collector:4317` is not an `https` or `http` URL
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'collector:4317' } }
       |                             ^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: write `https://collector:4317`
    "#);
    assert_snapshot!(of("traces-path", "{ otlp: { endpoint: 'https://collector.test/v1/traces' } }"), @r#"
    error: a URL for gRPC has no path
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test/v1/traces' } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: remove the path, or set `protocol: http/protobuf`
    "#);
    assert_snapshot!(of("traces-password", "{ otlp: { endpoint: 'https://a:hunter2@collector.test' } }"), @r#"
    error: the URL must not contain a user name or password
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'https://………………………@collector.test' } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: use `header_files`
    "#);
    assert_snapshot!(of("traces-query", "{ otlp: { endpoint: 'https://collector.test/?key=hunter2', protocol: http/protobuf } }"), @r#"
    error: the URL must have no query and no fragment
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test/?key=hunter2', protocol: http/protobuf } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: write `https://collector:4318`
    "#);
}

#[test]
fn headers_that_are_none() {
    let headers = "{ content-type: a, 'a b': c, x-a: \"hunter2\\n\", x-b: '' }";
    let text =
        of("traces-headers", &format!("{{ otlp: {{ endpoint: 'https://collector.test', headers: {headers} }} }}"));
    assert!(!text.contains("hunter2"), "{text}");
    assert_snapshot!(text, @r#"
    error: `content-type` is set by Vestibule
      --> vestibule.yaml:32:80
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { content-type: …, 'a b': …, x-a: ……………………………, x-b: …
       |                                                                                ^
       |
       = at: traces.otlp.headers.content-type
       = help: remove it

    error: `a b` is not the name of a header
      --> vestibule.yaml:32:90
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { content-type: …, 'a b': …, x-a: ……………………………, x-b: …
       |                                                                                          ^
       |
       = at: traces.otlp.headers."a b"
       = help: use letters, digits and `-`

    error: this is not a value of the header `x-a`
      --> vestibule.yaml:32:98
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { content-type: …, 'a b': …, x-a: ……………………………, x-b: …
       |                                                                                                  ^^^^^^^^^^^
       |
       = at: traces.otlp.headers.x-a
       = help: write one line of visible ASCII characters

    error: this is not a value of the header `x-b`
      --> vestibule.yaml:32:116
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { content-type: …, 'a b': …, x-a: ……………………………, x-b: …
       |                                                                                                                    ^
       |
       = at: traces.otlp.headers.x-b
       = help: write one line of visible ASCII characters
    "#);
    let twice = "headers: { X-A: a }, header_files: { x-a: secret, x-c: nowhere }";
    assert_snapshot!(of("traces-twice", &format!("{{ otlp: {{ endpoint: 'https://collector.test', {twice} }} }}")), @r#"
    error: the header `x-a` is there twice
      --> vestibule.yaml:32:97
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { X-A: … }, header_files: { x-a: secret, x-c: nowhere } } }
       |                                                                                                 ^^^^^^
       |
       = at: traces.otlp.header_files.x-a
       = help: keep one

    error: the file `DIR/nowhere` cannot be read: no such file or directory
      --> vestibule.yaml:32:110
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', headers: { X-A: … }, header_files: { x-a: secret, x-c: nowhere } } }
       |                                                                                                              ^^^^^^^
       |
       = at: traces.otlp.header_files.x-c
    "#);
}

#[test]
fn numbers_and_attributes_out_of_range() {
    let otlp = "otlp: { endpoint: 'https://collector.test', timeout: 2m, protocol: udp, compression: zstd }";
    assert_snapshot!(of("traces-choices", &format!("{{ {otlp}, sampling: {{ ratio: 1.5, parent: all }} }}")), @r#"
    error: 2m is out of range: 100ms to 1m
      --> vestibule.yaml:32:64
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', timeout: 2m, protocol: udp, compression: zstd }, sampling: { ratio: 1.5, paren...
       |                                                                ^^
       |
       = at: traces.otlp.timeout

    error: unknown value `udp`
      --> vestibule.yaml:32:78
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', timeout: 2m, protocol: udp, compression: zstd }, sampling: { ratio: 1.5, paren...
       |                                                                              ^^^
       |
       = at: traces.otlp.protocol
       = help: expected one of `grpc` or `http/protobuf`

    error: unknown value `zstd`
      --> vestibule.yaml:32:96
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', timeout: 2m, protocol: udp, compression: zstd }, sampling: { ratio: 1.5, paren...
       |                                                                                                ^^^^
       |
       = at: traces.otlp.compression
       = help: expected one of `none` or `gzip`

    error: 1.5 is out of range: 0 to 1
      --> vestibule.yaml:32:123
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test', timeout: 2m, protocol: udp, compression: zstd }, sampling: { ratio: 1.5, paren...
       |                                                                                                                           ^^^
       |
       = at: traces.sampling.ratio

    error: unknown value `all`
      --> vestibule.yaml:32:136
       |
    32 | ...col: udp, compression: zstd }, sampling: { ratio: 1.5, parent: all } }
       |                                                                   ^^^
       |
       = at: traces.sampling.parent
       = help: expected one of `trusted_proxies`, `any` or `ignore`
    "#);
    let more = "sampling: { ratio: '0.5' }, service_name: '', resource: { service.name: a, b: \"c\\nd\" }";
    assert_snapshot!(of("traces-attributes", &format!("{{ otlp: {{ endpoint: 'https://collector.test' }}, {more} }}")), @r#"
    error: expected a number, found text
      --> vestibule.yaml:32:76
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test' }, sampling: { ratio: '0.5' }, service_name: '', resource: { service.name: a, b...
       |                                                                            ^^^^^
       |
       = at: traces.sampling.ratio

    error: this is not the name of a service
      --> vestibule.yaml:32:99
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test' }, sampling: { ratio: '0.5' }, service_name: '', resource: { service.name: a, b...
       |                                                                                                   ^^
       |
       = at: traces.service_name
       = help: write 1 to 1024 bytes without control characters

    error: `service.name` has a setting of its own
      --> vestibule.yaml:32:129
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test' }, sampling: { ratio: '0.5' }, service_name: '', resource: { service.name: a, b...
       |                                                                                                                                 ^
       |
       = at: traces.resource."service.name"
       = help: set `service_name`

    error: this cannot be an attribute
      --> vestibule.yaml:32:135
       |
    32 | ...: '0.5' }, service_name: '', resource: { service.name: a, b: "c\nd" } }
       |                                                                 ^^^^^^
       |
       = at: traces.resource.b
       = help: write 1 to 1024 bytes without control characters
    "#);
}

#[test]
fn plain_http_and_the_port_of_the_other_protocol_are_warned_of() {
    let at = |name: &str, endpoint: &str, protocol: &str| {
        let traces = format!("traces: {{ otlp: {{ endpoint: '{endpoint}', protocol: {protocol} }} }}\nsession:\n");
        warnings(name, &[("session:\n", &traces)])
    };
    assert_snapshot!(at("traces-plain", "http://collector.test:4317", "grpc"), @r#"
    warning: spans and the headers of `otlp` go to `collector.test` unencrypted
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'http://collector.test:4317', protocol: grpc } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: use `https`; set `ca_file` for a private certificate authority
    "#);
    assert_snapshot!(at("traces-port", "https://collector.test:4318", "grpc"), @r#"
    warning: 4318 is the port for `http/protobuf`
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test:4318', protocol: grpc } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: set `protocol: http/protobuf`
    "#);
    assert_snapshot!(at("traces-other-port", "https://collector.test:4317", "http/protobuf"), @r#"
    warning: 4317 is the port for `grpc`
      --> vestibule.yaml:32:29
       |
    32 | traces: { otlp: { endpoint: 'https://collector.test:4317', protocol: http/protobuf } }
       |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: traces.otlp.endpoint
       = help: set `protocol: grpc`
    "#);
    for sound in ["http://127.0.0.1:4317", "http://[::1]", "http://localhost:4317", "https://collector.test"] {
        assert_eq!(at("traces-sound", sound, "grpc"), "", "{sound}");
    }
}

#[test]
fn what_is_meant_is_what_is_settled() {
    let load = |traces: &str| {
        let files = files("traces-settled");
        let text = SOUND.replacen("session:\n", &format!("traces: {traces}\nsession:\n"), 1);
        let config = load_in(&files, &text).unwrap_or_else(|report| panic!("{report}"));
        config.traces.expect("there is a collector")
    };
    for (endpoint, protocol, expected) in [
        ("https://collector.test", "grpc", "https://collector.test/"),
        ("https://collector.test", "http/protobuf", "https://collector.test/v1/traces"),
        ("https://collector.test/otlp/v1/traces", "http/protobuf", "https://collector.test/otlp/v1/traces"),
    ] {
        let settings = load(&format!("{{ otlp: {{ endpoint: '{endpoint}', protocol: {protocol} }} }}"));
        assert_eq!(settings.collector.endpoint.to_string(), expected);
    }
    // A whole number is a number, and a reload finds the same collector in the same settings.
    let all = || load("{ otlp: { endpoint: 'https://collector.test' }, sampling: { ratio: 1 } }");
    assert_eq!(all(), all());
    assert_ne!(all(), load("{ otlp: { endpoint: 'https://collector.test' }, sampling: { ratio: 0.5 } }"));
}

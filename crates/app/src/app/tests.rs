//! `docs/METRICS.md` is made from the registry of an app that has everything.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::app::App;
use crate::app::generation::Generation;
use crate::certificate::ocsp::made;
use crate::clock::Clock;
use crate::config;
use crate::config::document::source::Source;
use crate::config::{Attempt, MissingKeys};
use crate::testing::{Directory, temporary_directory};

const HEAD: &str = "\
# Metrics

`GET /metrics` at `admin.address`, in the text format of Prometheus (version 0.0.4). Made from the code by
`UPDATE_DOCS=1 cargo test --lib metrics`; a test keeps it up to date.

Label values come from the configuration or from fixed lists, never from a request. A series that counts something rare (a
refusal, a failed login) appears when it first happens. Names and labels are stable: a change is announced in the changelog.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
";

/// One of everything that registers metrics.
const EVERYTHING: &str = "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{ certificate_file: tls.pem, private_key_file: tls-key.pem, ocsp_file: tls.ocsp }]
    rules:
      - name: people
        priority: 1
        conditions: [{ host_header: [people.example.com] }]
        actions:
          - { type: authenticate-user-pool, user_pool: people, session_cookie_name: __Host-people }
          - { type: authorize, any: [{ claim: groups, contains: [staff] }] }
          - { type: forward, target_group: app }
      - name: moved
        priority: 2
        conditions: [{ path_pattern: [/moved] }]
        actions: [{ type: redirect, path: /, status_code: HTTP_302 }]
      - name: site
        priority: 3
        conditions: [{ path_pattern: ['/site/*'] }]
        actions: [{ type: static, directory: site }]
    default_actions: [{ type: authenticate-oidc, provider: corp }, { type: forward, target_group: app }]
  - name: auto
    address: 127.0.0.1:0
    protocol: https
    tls: auto
    mutual_authentication: { mode: verify, trust_store: clients }
    default_actions: [{ type: fixed-response, status_code: 404 }]
identity_providers:
  corp: { issuer: 'https://idp.example.com', client_id: a, client_secret: a-client-secret-of-some-length }
user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key.pem
    applications: ['https://people.example.com']
    store: { sqlite: people.db, key_files: [store-key] }
    identity_providers: { corp: {} }
target_groups:
  app: { targets: ['127.0.0.1:1'], health_check: {}, stickiness: { type: lb_cookie } }
trust_stores: { clients: { ca_files: [clients.pem], crl_files: [clients.crl] } }
session: { key_files: [session-key] }
claims: { signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }
admin: { address: 127.0.0.1:0 }
acme: { directory: 'http://127.0.0.1:1/directory', directory_path: acme, terms_of_service_agreed: true, names: [auto.example.com] }
access_log: { destination: access.log }
traces: { otlp: { endpoint: 'http://127.0.0.1:1' } }
workers: 1
";

/// An app with a folder that is named after the test.
fn started(name: &str) -> (App, Directory) {
    started_with(name, EVERYTHING)
}

/// The same, of this configuration.
fn started_with(name: &str, text: &str) -> (App, Directory) {
    let folder = temporary_directory(name);
    let pair = rcgen::generate_simple_self_signed(vec!["app.example.com".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.pem"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("tls-key.pem"), pair.signing_key.serialize_pem()).unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.join("clients.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2020, 1, 1),
        next_update: rcgen::date_time_ymd(2040, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&rcgen::Issuer::new(authority, key)).unwrap().pem().unwrap();
    std::fs::write(folder.join("clients.crl"), list).unwrap();
    let response = made::about(pair.cert.der(), made::GOOD, Some("20361206000000Z"));
    std::fs::write(folder.join("tls.ocsp"), response).unwrap();
    let auto = rcgen::generate_simple_self_signed(vec!["auto.example.com".to_owned()]).unwrap();
    std::fs::create_dir(folder.join("acme")).unwrap();
    std::fs::create_dir(folder.join("site")).unwrap();
    let kept = auto.signing_key.serialize_pem() + &auto.cert.pem();
    std::fs::write(folder.join("acme/auto.example.com.pem"), kept).unwrap();
    let source = Source::text("everything.yaml", &folder, text);
    let config = config::load(&source, MissingKeys::Make).unwrap_or_else(|report| panic!("{report}"));
    let load = Box::new(|| Attempt::impossible("everything.yaml", "the test does not reload"));
    (App::start(config, load, Clock::system()).unwrap(), folder)
}

#[test]
fn a_control_runtime_that_is_blocked_does_not_keep_the_process_from_stopping() {
    // Without a database: its tasks are waited for, so that the last events are written.
    let is_of_store = |line: &&str| line.starts_with("    store:") || line.starts_with("    identity_providers:");
    let text: String = EVERYTHING.lines().filter(|line| !is_of_store(line)).flat_map(|line| [line, "\n"]).collect();
    let (app, _folder) = started_with("blocked", &text);
    let (alive, ended) = std::sync::mpsc::channel::<()>();
    let control = app.control.as_ref().unwrap();
    for _ in 0..control.metrics().num_workers() {
        let (begun, begins) = std::sync::mpsc::channel();
        let alive = alive.clone();
        control.spawn(async move {
            begun.send(()).unwrap();
            // As a bug would: for ever, and not at an await.
            loop {
                std::thread::park();
                let _ = &alive;
            }
        });
        begins.recv().unwrap();
    }
    // Nor does the hashing of a password, which has threads of its own.
    control.spawn_blocking(move || {
        loop {
            std::thread::park();
            let _ = &alive;
        }
    });
    assert!(app.shutdown(), "no request is under way");
    assert_eq!(ended.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty), "they are still blocked");
}

#[test]
fn a_policy_that_stays_is_the_same_object_in_the_next_configuration() {
    let (app, folder) = started("policies");
    let policy = |text: &str| {
        let config = config::load(&Source::text("other.yaml", &folder, text), MissingKeys::Make).unwrap();
        let generation = Generation::new(config, &app.process).unwrap();
        Arc::clone(&generation.listeners[0].snapshot.forwarded)
    };
    let now = Arc::clone(&app.reloader.in_force().listeners[0].snapshot.forwarded);
    assert!(Arc::ptr_eq(&now, &policy(EVERYTHING)));
    for (before, later) in
        [("name: public", "name: other"), ("    rules:\n", "    trusted_proxies: [127.0.0.1/32]\n    rules:\n")]
    {
        assert!(!Arc::ptr_eq(&now, &policy(&EVERYTHING.replacen(before, later, 1))), "{later}");
    }
    app.shutdown();
}

#[test]
fn the_page_of_metrics_is_fresh() {
    let (app, _folder) = started("metrics");
    let registry = app.process.registry.clone();
    // Workers register theirs on their own threads; when they have ended, they have.
    app.shutdown();

    let mut rows = Vec::new();
    for (name, help, kind, labels) in registry.families() {
        rows.push((name.to_owned(), format!("{kind:?}").to_lowercase(), labels, help.to_owned()));
    }
    // The figures of the process are not in the registry: they are read when they are asked for.
    let text = registry.render();
    let about = |kind: &str, name: &str| {
        let begin = format!("# {kind} {name} ");
        text.lines().find_map(|line| line.strip_prefix(&begin)).map(str::to_owned)
    };
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        if rows.iter().all(|row| row.0 != name) {
            let labels = if name == "vestibule_build_info" { vec!["version"] } else { vec![] };
            rows.push((name.to_owned(), kind.to_owned(), labels, about("HELP", name).unwrap()));
        }
    }
    rows.sort();
    let mut page = HEAD.to_owned();
    for (name, kind, labels, help) in rows {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }

    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/METRICS.md is stale: run `UPDATE_DOCS=1 cargo test --lib metrics`");
}

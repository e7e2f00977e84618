mod defaults;
mod keywords;
mod meaning;
mod mistakes;
mod properties;
mod secrets;
mod shipped;
mod translations;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::certificate::ocsp::made;
use crate::config::MissingKeys;
use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::{Config, load};
use crate::testing::{Directory, temporary_directory};

/// A directory with every file that configurations of these tests name.
pub(crate) fn files(name: &str) -> Directory {
    let directory = temporary_directory(name);
    let write = |name: &str, text: &str| {
        std::fs::write(directory.join(name), text).unwrap();
        std::fs::set_permissions(directory.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    // Of the application and of the pools.
    let pools = ["login.example.com", "login.staff.example.com", "staff.example.com"];
    let pair = rcgen::generate_simple_self_signed(
        ["app.example.com"].into_iter().chain(pools).map(str::to_owned).collect::<Vec<_>>(),
    )
    .unwrap();
    write("tls.pem", &pair.cert.pem());
    write("tls-key.pem", &pair.signing_key.serialize_pem());
    let other = rcgen::generate_simple_self_signed(vec!["other.example.com".to_owned()]).unwrap();
    write("other-key.pem", &other.signing_key.serialize_pem());
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    write("ca.pem", &authority.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem());
    write("session-key", &"0123456789abcdef".repeat(4));
    write("session-key-2", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    write("claims-key", crate::jose::signing_key::SigningKey::generate_pem().expose());
    write("pool-key", crate::jose::signing_key::SigningKey::generate_pem().expose());
    write("secret", "hunter2\n");
    write("empty", "\n");
    std::fs::create_dir(directory.join("site")).unwrap();
    write("site/index.html", "<p>home");
    write("site/404.html", "<p>gone");
    write("short-key", "0123456789abcdef");
    let about_other = made::about(other.cert.der(), made::GOOD, None);
    std::fs::write(directory.join("ocsp-of-another"), about_other).unwrap();
    std::fs::write(directory.join("ocsp-refused"), [0x30, 3, 10, 1, 6]).unwrap();
    directory
}

/// Loads a text next to `directory`'s files.
pub(crate) fn load_in(directory: &Path, text: &str) -> Result<Config, Diagnostics> {
    load(&Source::text("vestibule.yaml", directory, text), MissingKeys::Refuse)
}

/// A sound file. Tests replace a piece of it.
pub(crate) const SOUND: &str = "\
listeners:
  - name: public
    address: 0.0.0.0:8443
    protocol: https
    certificates:
      - certificate_file: tls.pem
        private_key_file: tls-key.pem
    rules:
      - name: api
        priority: 10
        conditions:
          - path_pattern: [\"/api/*\"]
        actions:
          - type: authenticate-oidc
            provider: corp
            on_unauthenticated_request: deny
          - type: forward
            target_group: app
    default_actions:
      - type: authenticate-oidc
        provider: corp
      - type: forward
        target_group: app
identity_providers:
  corp:
    issuer: https://login.example.com
    client_id: dashboard
    client_secret_file: secret
target_groups:
  app:
    targets: [\"127.0.0.1:3000\"]
session:
  key_files: [session-key]
claims:
  signer: arn:vestibule:dashboard
  signing_key_file: claims-key
";

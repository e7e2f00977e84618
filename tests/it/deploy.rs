//! What `deploy/` and the README print works as printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::app::folder;
use crate::harness::certificates;
use crate::harness::process::{self, Finished, Process};

const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc";

#[test]
fn the_configuration_of_the_readme_is_sound() {
    let readme = read("README.md");
    let installed = Installed::new(&fenced(&readme, "listeners:"));
    installed.make_keys(&["session"], &["claims"]);
    let Finished { code, output, errors, .. } = installed.check();
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[test]
fn the_unit_of_systemd_loads_every_secret_of_the_readme() {
    let unit = read("deploy/systemd/vestibule.service");
    let readme = fenced(&read("README.md"), "listeners:");
    for line in readme.lines() {
        let Some((key, value)) = line.trim().trim_start_matches("- ").split_once(": ") else { continue };
        if !key.ends_with("_file") && !key.ends_with("_files") || key == "certificate_file" {
            continue;
        }
        let path = value.split('#').next().expect("a value").trim().trim_matches(['[', ']']);
        let line = format!("LoadCredential={}:/etc/vestibule/{path}", path.replace('/', "-"));
        assert!(unit.contains(&line), "the unit lacks {line}");
    }
    for line in ["Restart=on-failure", "LimitNOFILE=", "[Install]", "WantedBy=multi-user.target"] {
        assert!(unit.contains(line), "the unit lacks {line}");
    }
}

#[test]
fn the_sockets_of_systemd_are_those_of_the_readme() {
    let readme = fenced(&read("README.md"), "listeners:");
    let socket = read("deploy/systemd/vestibule.socket");
    let addresses: Vec<&str> = socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    let wanted: Vec<&str> = readme.lines().filter_map(|line| line.trim().strip_prefix("address: ")).collect();
    assert_eq!(addresses, wanted);
}

#[test]
fn secrets_that_root_alone_can_read_come_as_credentials() {
    let installed = Installed::new(&fenced(&read("README.md"), "listeners:"));
    installed.make_keys(&["session"], &["claims"]);
    let credentials = installed.folder.join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    for secret in ["keys/session", "keys/claims", "keys/client-secret", "certs/app-key.pem"] {
        fs::rename(installed.folder.join(secret), credentials.join(secret.replace('/', "-"))).expect("moved");
    }
    assert_eq!(installed.check().code, Some(1), "the secrets are gone");
    let mut check = installed.command(&["check"]);
    check.env("CREDENTIALS_DIRECTORY", &credentials);
    let Finished { code, output, errors, .. } = Process::start(check).finish();
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    // A machine without systemd has nothing to ask. CI and Debian have it.
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let folder = folder();
    let binary = process::vestibule(&[]).get_program().to_string_lossy().into_owned();
    let unit = read("deploy/systemd/vestibule.service").replace("/usr/local/bin/vestibule", &binary);
    let path = folder.join("vestibule.service");
    fs::write(&path, unit).expect("written");
    let socket = folder.join("vestibule.socket");
    fs::write(&socket, read("deploy/systemd/vestibule.socket")).expect("written");
    let mut verify = Command::new("systemd-analyze");
    let verified = verify.args(["verify", "--man=no"]).args([&path, &socket]).output().expect("systemd-analyze");
    // It also looks at the units of this machine that this one wants: only what it says of ours counts.
    let said = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("vestibule.s")).collect();
    assert!(ours.is_empty(), "{said}");
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn the_configuration_of_the_compose_file_is_sound() {
    let installed = Installed::new(&read("deploy/compose/vestibule.yaml"));
    installed.make_keys(&["session"], &["claims", "pool"]);
    let Finished { code, output, errors, .. } = installed.check();
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[test]
fn the_configuration_for_development_certificates_is_sound() {
    let folder = folder();
    for name in ["certs", "config", "keys"] {
        fs::create_dir(folder.join(name)).expect("a folder");
    }
    let script = folder.join("certs/make-dev-certs.sh");
    fs::write(&script, read("certs/make-dev-certs.sh")).expect("written");
    let made = Command::new("bash").arg(&script).output().expect("bash");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for (kind, name) in [("session", "session"), ("signing", "claims"), ("signing", "pool")] {
        make_key(kind, &folder.join("keys").join(name));
    }
    fs::write(folder.join("config/local.yaml"), read("config/local.yaml")).expect("written");
    let mut check = process::vestibule(&["check", "--config"]);
    check.arg(folder.join("config/local.yaml")).env("ADA_PASSWORD_HASH", PASSWORD_HASH);
    let Finished { code, output, errors, .. } = Process::start(check).finish();
    assert_eq!(code, Some(0), "{output}{errors}");
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn the_configuration_of_the_sidecar_is_sound() {
    let manifest = read("deploy/kubernetes/sidecar.yaml");
    let (_, block) = manifest.split_once("vestibule.yaml: |\n").expect("a configuration");
    let block: Vec<&str> = block.lines().take_while(|line| line.starts_with("    ") || line.is_empty()).collect();
    let installed = Installed::new(&block.join("\n").replace("\n    ", "\n").replace("    listeners:", "listeners:"));
    installed.make_keys(&["session"], &["claims"]);
    let Finished { code, output, errors, .. } = installed.check();
    assert_eq!(code, Some(0), "{output}{errors}");
}

/// A configuration with the certificates and secrets that it names, as an operator would lay them out.
struct Installed {
    folder: PathBuf,
}

impl Installed {
    fn new(configuration: &str) -> Self {
        let folder = folder();
        fs::write(folder.join("vestibule.yaml"), configuration).expect("written");
        let certs = folder.join("certs");
        fs::create_dir_all(&certs).expect("a folder");
        fs::create_dir_all(folder.join("keys")).expect("a folder");
        let (certificate, key) = certificates::untrusted(&["app.example.com", "app.localhost", "login.localhost"]);
        for name in ["app", "tls"] {
            let ends = if name == "app" { [".pem", "-key.pem"] } else { [".crt", ".key"] };
            fs::write(certs.join(format!("{name}{}", ends[0])), &certificate).expect("written");
            fs::write(certs.join(format!("{name}{}", ends[1])), &key).expect("written");
        }
        fs::write(folder.join("keys/client-secret"), "a secret of the provider\n").expect("written");
        Self { folder }
    }

    /// Makes keys with the commands that the README names.
    #[track_caller]
    fn make_keys(&self, session: &[&str], signing: &[&str]) {
        let made = session.iter().map(|name| ("session", name)).chain(signing.iter().map(|name| ("signing", name)));
        for (kind, name) in made {
            make_key(kind, &self.folder.join("keys").join(name));
        }
    }

    fn check(&self) -> Finished {
        Process::start(self.command(&["check"])).finish()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = process::vestibule(arguments);
        command.arg("--config").arg(self.folder.join("vestibule.yaml")).env("ADA_PASSWORD_HASH", PASSWORD_HASH);
        command
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn make_key(kind: &str, out: &Path) {
    let made = Process::start(process::vestibule(&["keys", kind, "--out", out.to_str().expect("UTF-8")])).finish();
    assert_eq!(made.code, Some(0), "{}", made.errors);
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The block of code in a Markdown text that begins with `start`.
fn fenced(text: &str, start: &str) -> String {
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.into_iter().find(|block| block.starts_with(start)).expect("a block of code").to_owned()
}

//! Reloading a process that serves: by a signal, by the operator's endpoint, by a command, and because a file has changed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::app::{folder, free_port, wait_until};
use crate::harness::certificates;
use crate::harness::process::{self, Process};

/// A process with a plain listener that answers with a word.
struct Serving {
    folder: PathBuf,
    ports: [u16; 2],
    process: Process,
}

impl Serving {
    /// `yaml` is added to the file.
    fn start(yaml: &str) -> Self {
        let folder = folder();
        certificates::write_to(&folder);
        let ports = [free_port(), free_port()];
        let this = |process| Self { folder: folder.clone(), ports, process };
        write(&folder.join("vestibule.yaml"), &text(ports, "one", yaml));
        let config = folder.join("vestibule.yaml");
        let serving = this(Process::start(process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8")])));
        wait_until("it serves", || (serving.get("/") == Some("one".into())).then_some(()));
        serving
    }

    fn config(&self) -> PathBuf {
        self.folder.join("vestibule.yaml")
    }

    fn get(&self, path: &str) -> Option<String> {
        get(self.ports[0], path).map(|(_, body)| body)
    }

    fn rewrite(&self, word: &str, yaml: &str) {
        write(&self.config(), &text(self.ports, word, yaml));
    }

    fn reload(&self) -> process::Finished {
        let config = self.config();
        let command = process::vestibule(&["reload", "--config", config.to_str().expect("UTF-8")]);
        Process::start(command).finish()
    }

    #[track_caller]
    fn answers(&self, word: &str) {
        wait_until(&format!("it answers {word}"), || (self.get("/") == Some(word.into())).then_some(()));
    }
}

fn text([port, admin]: [u16; 2], word: &str, yaml: &str) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: {word} }}]
admin: {{ address: 127.0.0.1:{admin} }}
access_log: {{ destination: access.log }}
workers: 2
{yaml}"
    )
}

/// Replaces a file as editors and deployments do: whole, by a rename.
fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).expect("written");
    std::fs::rename(&beside, path).expect("renamed");
}

/// Status and body; `None` if nobody answers.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    send(port, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
}

fn send(port: u16, request: &str) -> Option<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((crate::harness::raw::status(head), body.to_owned()))
}

#[test]
fn a_file_that_is_replaced_is_read_without_being_told_to() {
    let serving = Serving::start("");
    serving.rewrite("two", "");
    serving.answers("two");
    // A bad one changes nothing, and the next good one counts.
    serving.rewrite("three", "nonsense: true");
    wait_until("the mistake is told", || {
        let (_, ready) = get(serving.ports[1], "/readyz")?;
        ready.contains("the last reload failed: ").then_some(())
    });
    assert_eq!(serving.get("/").as_deref(), Some("two"));
    serving.rewrite("three", "");
    serving.answers("three");
    wait_until("all is well", || (get(serving.ports[1], "/readyz")?.1 == "ready\n").then_some(()));
}

#[test]
fn a_mounted_volume_that_is_swapped_is_read() {
    // As Kubernetes mounts a ConfigMap: `vestibule.yaml` leads to `..data/vestibule.yaml`, and `..data` to a folder with a date.
    let serving = Serving::start("");
    let (old, new, data) = (serving.folder.join("..1"), serving.folder.join("..2"), serving.folder.join("..data"));
    for (folder, word) in [(&old, "one"), (&new, "two")] {
        std::fs::create_dir(folder).expect("made");
        write(&folder.join("vestibule.yaml"), &text(serving.ports, word, ""));
    }
    symlink(&old, &data).expect("linked");
    std::fs::remove_file(serving.config()).expect("removed");
    symlink("..data/vestibule.yaml", serving.config()).expect("linked");
    let swapped = serving.folder.join("..data_tmp");
    symlink(&new, &swapped).expect("linked");
    std::fs::rename(&swapped, &data).expect("swapped");
    serving.answers("two");
}

#[test]
fn a_file_that_the_file_names_is_watched_too() {
    let pages = "pages: { texts: { en: texts.yaml } }";
    let serving = Serving::start("");
    let texts = serving.folder.join("texts.yaml");
    let title = |title: &str| format!("reason.request.not_found.title: {title}\n");
    write(&texts, &title("One"));
    serving.rewrite("two", pages);
    serving.answers("two");
    write(&texts, &title("Two"));
    let counted = || get(serving.ports[1], "/metrics").map(|(_, text)| text).unwrap_or_default();
    wait_until("the file is read", || {
        counted().contains("vestibule_config_reloads_total{result=\"success\"} 2\n").then_some(())
    });
    // A file that is gone is a mistake, and a file that comes back mends it.
    std::fs::remove_file(&texts).expect("removed");
    wait_until("it is missed", || counted().contains("vestibule_config_last_reload_successful 0\n").then_some(()));
    write(&texts, &title("Three"));
    wait_until("it is back", || counted().contains("vestibule_config_last_reload_successful 1\n").then_some(()));
    assert_eq!(serving.get("/").as_deref(), Some("two"));
}

#[test]
fn what_asks_for_a_reload_is_told_what_changed_or_what_is_wrong() {
    let serving = Serving::start("watch: false");
    serving.rewrite("two", "watch: false");
    assert_eq!(serving.get("/").as_deref(), Some("one"), "nobody watches");
    let done = serving.reload();
    assert_eq!(
        (done.code, done.output.as_str()),
        (Some(0), "the new configuration is in force; changed:\n  listeners.public.default_actions\n"),
        "{}",
        done.errors
    );
    assert_eq!(serving.get("/").as_deref(), Some("two"));
    assert_eq!(serving.reload().output, "nothing has changed\n");

    serving.rewrite("three", "wach: false");
    let refused = serving.reload();
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("help: did you mean `watch`?"), "{}", refused.errors);
    assert_eq!(serving.get("/").as_deref(), Some("two"));

    serving.rewrite("four", "watch: false");
    serving.process.signal("HUP");
    serving.answers("four");

    // A page in a browser cannot do it.
    let admin = serving.ports[1];
    let post = |field: &str| {
        let request = format!(
            "POST /reload HTTP/1.1\r\nhost: localhost\r\n{field}content-length: 0\r\nconnection: close\r\n\r\n"
        );
        send(admin, &request).expect("an answer").0
    };
    assert_eq!([post("origin: null\r\n"), post("sec-fetch-site: cross-site\r\n"), post("")], [403, 403, 200]);
    assert_eq!(get(admin, "/reload").expect("an answer").0, 405);
    let rebound = "POST /reload HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(send(admin, rebound).expect("an answer").0, 421);
}

#[test]
fn the_settings_of_the_process_change_as_well() {
    let mut serving = Serving::start("watch: false");
    let moved = free_port();
    let more = "watch: false\nlog: { level: debug, format: text }\nshutdown: { drain_timeout: 2s }";
    let text = text([serving.ports[0], moved], "two", more).replace("access.log", "other.log");
    write(&serving.config(), &text);
    let old = serving.ports[1];
    let url = format!("http://127.0.0.1:{old}/reload");
    let done = Process::start(process::vestibule(&["reload", "--url", &url])).finish();
    assert_eq!(done.code, Some(0), "{}", done.errors);
    for part in ["access_log.destination", "admin.address", "log (new)", "shutdown (new)"] {
        assert!(done.output.contains(&format!("  {part}\n")), "{part}: {}", done.output);
    }
    assert_eq!(get(moved, "/livez"), Some((200, "live\n".to_owned())));
    wait_until("the old endpoint is closed", || get(old, "/livez").is_none().then_some(()));
    serving.ports[1] = moved;
    serving.answers("two");
    let other = serving.folder.join("other.log");
    wait_until("records go to the other file", || {
        std::fs::read_to_string(&other).ok().filter(|text| text.contains("\"url.path\":\"/\"")).map(drop)
    });
    serving.process.signal("TERM");
    let ended = serving.process.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.errors.contains("INFO draining; a second signal stops at once timeout_s=2"), "{}", ended.errors);
}

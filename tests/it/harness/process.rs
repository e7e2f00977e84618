//! Child processes: our own binary, and the programs that nobody here wrote, which `tests/run` installs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::Value;

use super::app::wait_until;

/// For a program's next line. It is long because a browser on a busy machine with one core takes its time to start; what
/// has failed says so at once, by ending.
const LINE_DEADLINE: Duration = Duration::from_secs(90);

/// How often a program that was asked to end is looked at, 10 ms apart, before it is killed.
const LOOKS_MAX: usize = 1000;

/// A running program, which does not outlive this value.
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    /// Standard error has been read to its end once this disconnects.
    errors_end: Receiver<()>,
}

impl Process {
    /// Starts it, with its three streams in our hands.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self::start_with_streams(command)
    }

    /// Starts it with the standard input and output that `command` names. Where that is not ours, nothing is read or written.
    #[track_caller]
    pub fn start_with_streams(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{name} starts: {error}"));
        let input = child.stdin.take();
        let (output, problems) = (child.stdout.take(), child.stderr.take().expect("piped"));
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let Some(output) = output else { return };
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (ending, errors_end) = mpsc::channel::<()>();
        let collected = Arc::clone(&errors);
        std::thread::spawn(move || {
            for line in BufReader::new(problems).lines().map_while(Result::ok) {
                let mut collected = collected.lock().expect("unpoisoned");
                collected.push_str(&line);
                collected.push('\n');
            }
            drop(ending);
        });
        Self { name, child, input, lines, errors, errors_end }
    }

    /// The next line of standard output; `None` where there will be none.
    #[track_caller]
    pub fn next_line(&self) -> Option<String> {
        match self.lines.recv_timeout(LINE_DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} says something: {}", self.name, self.errors()),
        }
    }

    /// The next line of standard output, as JSON.
    #[track_caller]
    pub fn next_json(&self) -> Value {
        let line = self.next_line().unwrap_or_else(|| panic!("{} ended: {}", self.name, self.errors_to_end()));
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{} says JSON: {line}", self.name))
    }

    /// Standard output up to and with the first line that contains `end`.
    #[track_caller]
    pub fn read_until(&self, end: &str) -> String {
        let mut text = String::new();
        while let Some(line) = self.next_line() {
            text.push_str(&line);
            text.push('\n');
            if line.contains(end) {
                return text;
            }
        }
        panic!("{} says {end:?} before it ends: {text}{}", self.name, self.errors_to_end())
    }

    /// Writes a line to its standard input.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its standard input is open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it reads");
    }

    /// Writes all of its standard input.
    pub fn say_all(&mut self, text: &str) {
        self.say(text);
        self.close_input();
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// What it has written to standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().expect("unpoisoned").clone()
    }

    /// All that it wrote to standard error. It must be about to end.
    fn errors_to_end(&self) -> String {
        let _ = self.errors_end.recv_timeout(LINE_DEADLINE);
        self.errors()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_until(&format!("{} ends", self.name), || self.child.try_wait().expect("it is ours to wait for"))
    }

    /// Waits until it has ended, and answers its exit code, standard output and standard error.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.close_input();
        let mut output = String::new();
        while let Some(line) = self.next_line() {
            output.push_str(&line);
            output.push('\n');
        }
        let status = self.wait();
        Finished { code: status.code(), status, output, errors: self.errors_to_end() }
    }
}

impl Drop for Process {
    /// It is asked to end, so that it can end what it started and remove its files; killed only where it does not.
    fn drop(&mut self) {
        self.close_input();
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("TERM");
        }
        for _ in 0..LOOKS_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of ours.
pub fn signal(process: u32, name: &str) {
    // The standard library sends no signal but KILL, and a crate for this alone would not earn its place. One that has just
    // ended is no fault: whoever cares looks at its exit code.
    let command = format!("kill -{name} {process} 2>/dev/null");
    let _ = Command::new("sh").args(["-c", &command]).status();
}

/// What a program that has ended left.
#[derive(Debug)]
pub struct Finished {
    /// `None` where a signal ended it; `status` says which.
    pub code: Option<i32>,
    pub status: ExitStatus,
    pub output: String,
    pub errors: String,
}

/// Our own binary.
pub fn vestibule(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(arguments);
    command
}

/// A script of `tests/node`, with one argument that is JSON or a word.
#[track_caller]
pub fn node(script: &str, arguments: &[&str]) -> Command {
    let folder = installed("VESTIBULE_TEST_NODE_DIR", Some(repository().join("tests/node")));
    needed(&folder.join("node_modules"));
    let mut command = Command::new(installed("VESTIBULE_TEST_NODE", on_path("node")));
    command.arg(folder.join(script)).args(arguments);
    if script == "browser.mjs" {
        command.env("VESTIBULE_TEST_CHROMIUM", installed("VESTIBULE_TEST_CHROMIUM", on_path("chromium")));
    }
    command
}

/// A script below `tests`, run by the Python that has the packages.
#[track_caller]
pub fn python(script: &str, arguments: &[&str]) -> Command {
    let python = installed("VESTIBULE_TEST_PYTHON", Some(repository().join("tests/.venv/bin/python")));
    let mut command = Command::new(python);
    command.arg(repository().join("tests").join(script)).args(arguments);
    command
}

/// Debian's glewlwyd, by its script.
#[track_caller]
pub fn glewlwyd(settings: &Value) -> Command {
    needed_on_path("glewlwyd");
    python("providers/glewlwyd", &[&settings.to_string()])
}

/// Where `tests/run` says that something is, or where it puts it.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "tests/run speaks to the tests through the environment")]
fn installed(variable: &str, otherwise: Option<PathBuf>) -> PathBuf {
    let told = std::env::var(variable).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = told.or(otherwise).unwrap_or_else(|| missing(variable));
    needed(&path);
    path
}

#[track_caller]
fn needed(path: &Path) {
    if !path.exists() {
        missing(&path.display().to_string());
    }
}

/// A program that `tests/run` installs.
#[track_caller]
pub fn needed_on_path(program: &str) -> PathBuf {
    on_path(program).unwrap_or_else(|| missing(program))
}

/// Not skipped: a suite that is green because half of it did not run is worth less than one that is red.
#[track_caller]
fn missing(what: &str) -> ! {
    panic!(
        "\n\n    This test needs a program that `cargo test` alone does not bring: {what} is missing.\n    \
         Run `tests/run`: it installs what is missing, then runs every test.\n    \
         Run `tests/run -- NAME` for the tests with NAME in theirs.\n\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "a program is looked for where the shell would")]
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

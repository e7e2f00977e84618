//! The directives of all files as a tree: variables are put in, files are included, and sections that depend on what is loaded or defined are
//! decided. What cannot be decided stays as a section that nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::apache::syntax::{self, LINE_BYTES_MAX, Line};
use crate::import::ledger::Ledger;
use crate::import::text::Input;

/// Sections and files inside each other.
const DEPTH_MAX: usize = 32;
/// Directives of all files together.
const DIRECTIVES_MAX: usize = 100_000;

/// Modules that every Apache has.
const BUILT_IN: [&str; 2] = ["core", "so"];

/// Modules whose directives this importer reads. If the input does not say which modules are loaded, they are taken to be there.
const MODULES: [&str; 24] = [
    "alias",
    "auth_openidc",
    "authn_core",
    "authz_core",
    "authz_host",
    "authz_user",
    "core",
    "deflate",
    "dir",
    "env",
    "headers",
    "http2",
    "log_config",
    "mime",
    "proxy",
    "proxy_balancer",
    "proxy_http",
    "proxy_wstunnel",
    "remoteip",
    "rewrite",
    "setenvif",
    "socache_shmcb",
    "ssl",
    "unixd",
];

/// A directive, or the line that opens a section.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// In lower case.
    pub(super) name: String,
    pub(super) words: Vec<String>,
    /// Its place in the ledger. The places of what is in a section begin with that of the section.
    pub(super) path: String,
    /// Why its words are not known.
    pub(super) problem: Option<String>,
}

impl Directive {
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }
}

/// A directive or a section.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Directive(Directive),
    Section(Directive, Vec<Node>),
}

impl Node {
    pub(super) fn directive(&self) -> &Directive {
        match self {
            Self::Directive(directive) | Self::Section(directive, _) => directive,
        }
    }
}

/// Finds the files of an `Include`, by what it says and the `ServerRoot`.
pub(crate) type Include<'i> = &'i dyn Fn(&str, Option<&str>) -> Result<Vec<Input>, String>;

/// Whether a section of which a condition decides is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    Yes,
    No,
    Unknown,
}

/// What the files say of the server itself.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) root: Option<String>,
    /// The modules that `LoadModule` names, also in sections of which it is not known whether they are in force.
    pub(super) loaded: BTreeSet<String>,
}

pub(super) struct Reader<'r> {
    include: Include<'r>,
    variables: BTreeMap<String, String>,
    /// The modules that `LoadModule` names where it is in force.
    modules: BTreeSet<String>,
    loaded: BTreeSet<String>,
    server_root: Option<String>,
    count: usize,
    ledger: &'r mut Ledger,
}

/// A section that is open while its lines are read.
struct Open {
    directive: Directive,
    nodes: Vec<Node>,
    /// `None` for a section that is no condition.
    force: Option<Force>,
}

impl<'r> Reader<'r> {
    /// `defines` are names with values, as `-D` of the server gives them.
    pub(super) fn new(include: Include<'r>, defines: &[String], ledger: &'r mut Ledger) -> Self {
        let define = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let variables = defines.iter().map(define).collect();
        let modules = BUILT_IN.iter().map(|name| (*name).to_owned()).collect();
        Self { include, variables, modules, loaded: BTreeSet::new(), server_root: None, count: 0, ledger }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// In a sentence, with the place.
    pub(super) fn file(&mut self, input: &Input, nodes: &mut Vec<Node>) -> Result<(), String> {
        self.nested(input, "", 0, Force::Yes, nodes)
    }

    /// What was said of the server.
    pub(super) fn server(self) -> Server {
        Server { root: self.server_root, loaded: self.loaded }
    }

    fn nested(
        &mut self,
        input: &Input,
        parent: &str,
        depth: usize,
        force: Force,
        nodes: &mut Vec<Node>,
    ) -> Result<(), String> {
        let at = |line: &Line, what: &str| format!("{}: line {}: {what}", input.name, line.number);
        let mut stack: Vec<Open> = Vec::new();
        for line in syntax::lines(&input.text).map_err(|error| format!("{}: {error}", input.name))? {
            if depth + stack.len() > DEPTH_MAX {
                return Err(at(&line, "too many sections or files inside each other"));
            }
            let place = match stack.last() {
                Some(open) => format!("{} line {}", open.directive.path, line.number),
                None if parent.is_empty() => format!("{}: line {}", input.name, line.number),
                None => format!("{parent} {}: line {}", input.name, line.number),
            };
            let outer = stack.iter().filter_map(|open| open.force).fold(force, stronger);
            if let Some(name) = syntax::closing(&line.text) {
                match stack.pop() {
                    Some(open) if open.directive.name.eq_ignore_ascii_case(name) => {
                        let level = stack.last_mut().map_or(&mut *nodes, |open| &mut open.nodes);
                        close(open, outer, level);
                    }
                    _ => return Err(at(&line, &format!("</{name}> closes nothing that is open"))),
                }
                continue;
            }
            self.count += 1;
            if self.count > DIRECTIVES_MAX {
                return Err(at(&line, "too many directives"));
            }
            match syntax::opening(&line.text) {
                Some(Err(error)) => return Err(at(&line, &error)),
                Some(Ok((name, arguments))) => {
                    let directive = self.directive(&name, arguments, &place);
                    let force = self.condition(&directive, outer);
                    if outer == Force::No {
                        self.ledger.dropped(&directive.path, NOT_IN_FORCE);
                    }
                    stack.push(Open { directive, nodes: Vec::new(), force });
                }
                None => {
                    let (name, arguments) = syntax::first_word(&line.text);
                    let directive = self.directive(&name, arguments, &place);
                    let level = stack.last_mut().map_or(&mut *nodes, |open| &mut open.nodes);
                    if outer == Force::No {
                        self.ledger.dropped(&directive.path, NOT_IN_FORCE);
                    } else if matches!(directive.name.as_str(), "include" | "includeoptional") {
                        self.include(&directive, depth + 1, outer, level)?;
                    } else if !self.is_for_the_reader(&directive, outer) {
                        level.push(Node::Directive(directive));
                    }
                }
            }
        }
        match stack.pop() {
            Some(open) => Err(format!("{}: the section is not closed", open.directive.path)),
            None => Ok(()),
        }
    }

    /// Adds a row, and puts variables in.
    fn directive(&mut self, name: &str, arguments: &str, place: &str) -> Directive {
        let path = format!("{place}: {}", shown(name));
        self.ledger.add_leaf(path.clone());
        let mut problem = None;
        let words = syntax::words(arguments);
        let words = words.into_iter().map(|word| {
            self.resolved(&word).unwrap_or_else(|why| {
                problem.get_or_insert(why);
                word
            })
        });
        Directive { name: name.to_ascii_lowercase(), words: words.collect(), path, problem }
    }

    /// A word with the values of its variables. What is put in is not looked at again.
    fn resolved(&self, word: &str) -> Result<String, String> {
        let (mut text, mut rest) = (String::new(), word);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            let value = self.variables.get(name).ok_or_else(|| {
                format!("the value of the variable {} is not known: give it with --define", shown(name))
            })?;
            text.push_str(before);
            text.push_str(value);
            if text.len() > LINE_BYTES_MAX {
                return Err("its variables are too long".to_owned());
            }
            rest = behind;
        }
        Ok(text + rest)
    }

    /// Whether a section is a condition, and whether it is in force.
    fn condition(&mut self, directive: &Directive, outer: Force) -> Option<Force> {
        let argument = directive.word(0);
        let (name, is_negated) = argument.strip_prefix('!').map_or((argument, false), |name| (name, true));
        let (is_certain, is_met) = match directive.name.as_str() {
            "ifmodule" => {
                let name = module(name);
                let is_loaded = self.modules.contains(&name);
                (is_loaded, is_loaded || self.loaded.is_empty() && MODULES.contains(&name.as_str()))
            }
            "ifdefine" => (true, self.variables.contains_key(name)),
            "ifversion" | "iffile" | "ifdirective" | "ifsection" => return Some(Force::Unknown),
            _ => return None,
        };
        let force = match (is_met, is_negated) {
            (true, false) => Force::Yes,
            (true, true) if is_certain => Force::No,
            // What is not known may be there all the same, and what is taken to be there may not be.
            (_, _) => Force::Unknown,
        };
        if outer != Force::No && force != Force::Unknown {
            let (name, what) = (shown(name), if force == Force::Yes { "in force" } else { "not in force" });
            self.ledger.kept(&directive.path, &format!("{what}: {name} is taken to be there"));
        }
        Some(force)
    }

    fn include(
        &mut self,
        directive: &Directive,
        depth: usize,
        force: Force,
        level: &mut Vec<Node>,
    ) -> Result<(), String> {
        let found = match &directive.problem {
            Some(problem) => Err(problem.clone()),
            None => (self.include)(directive.word(0), self.server_root.as_deref()),
        };
        match found {
            Ok(inputs) => {
                let count = inputs.len();
                self.ledger.kept(&directive.path, &format!("read: {count} files"));
                for input in inputs {
                    self.nested(&input, &directive.path, depth, force, level)?;
                }
            }
            Err(problem) => {
                let unread = Directive { problem: Some(problem), ..directive.clone() };
                level.push(Node::Directive(unread));
            }
        }
        Ok(())
    }

    /// Directives that say how the file is read.
    fn is_for_the_reader(&mut self, directive: &Directive, force: Force) -> bool {
        if directive.problem.is_some() {
            return false;
        }
        let (first, is_certain) = (directive.word(0).to_owned(), force == Force::Yes);
        match directive.name.as_str() {
            "define" if directive.words.len() <= 2 => {
                if is_certain {
                    self.variables.insert(first, directive.word(1).to_owned());
                } else {
                    self.variables.remove(&first);
                }
            }
            // Without it, `<IfDefine>` would not be in force: nothing is known of it any more.
            "undefine" => drop(self.variables.remove(&first)),
            "loadmodule" => {
                self.loaded.insert(module(&first));
                if is_certain {
                    self.modules.insert(module(&first));
                }
            }
            "serverroot" if is_certain => self.server_root = Some(first),
            _ => return false,
        }
        self.ledger.kept(&directive.path, "read");
        true
    }
}

/// What is said of directives in a section that is not in force.
const NOT_IN_FORCE: &str = "not in force";

fn stronger(outer: Force, inner: Force) -> Force {
    match (outer, inner) {
        (Force::No, _) | (_, Force::No) => Force::No,
        (Force::Unknown, _) | (_, Force::Unknown) => Force::Unknown,
        (Force::Yes, Force::Yes) => Force::Yes,
    }
}

/// Puts a section that was read among its neighbours.
fn close(open: Open, outer: Force, level: &mut Vec<Node>) {
    match (outer, open.force) {
        (Force::No, _) | (_, Some(Force::No)) => {}
        (_, Some(Force::Yes)) => level.extend(open.nodes),
        (_, Some(Force::Unknown) | None) => level.push(Node::Section(open.directive, open.nodes)),
    }
}

/// `ssl` for `mod_ssl.c` and `ssl_module`.
fn module(name: &str) -> String {
    let name = name.strip_suffix(".c").unwrap_or(name);
    name.strip_prefix("mod_").or(name.strip_suffix("_module")).unwrap_or(name).to_ascii_lowercase()
}

/// A name for a report: a file can have anything in it.
pub(super) fn shown(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() && letter != ':' { letter } else { '?' };
    name.chars().take(60).map(plain).collect()
}

//! Files of `DocumentRoot`: the action `static`, where Apache would answer with the same files and nothing else.
//!
//! A program of which the text is served, or a file that a section or a `.htaccess` protects, would be the worst that can happen. So the files are
//! served only if it is known of each directive about them what it does, and if the whole configuration of the server was read.

use crate::import::apache::known::{self, ABOUT_FILES};
use crate::import::apache::paths::Paths;
use crate::import::apache::scope::{self, Host, Place};
use crate::import::apache::tree::{Directive, Node, Server};
use crate::import::draft::{Draft, Need};
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// Modules that run what is in files, by the beginnings of their names. Types of files alone may make them do so.
const PROGRAMS: [&str; 11] =
    ["php", "perl", "python", "ruby", "suphp", "lsapi", "passenger", "mono", "fastcgi", "isapi", "aspdotnet"];
/// Kinds of pages that `static` may send for a directory. Others are left out of `index`.
const PAGES: [&str; 7] = [".html", ".htm", ".xhtml", ".txt", ".xml", ".svg", ".json"];
/// Filters that only pack what they get.
const FILTERS: [&str; 3] = ["DEFLATE", "BROTLI_COMPRESS", "INCLUDES"];
/// Directives that are carried over from sections about paths only.
const GATES: [&str; 7] =
    ["redirect", "redirectmatch", "proxypass", "secrule", "secaction", "secrulescript", "secruleengine"];

/// The files of a host.
#[derive(Debug)]
pub(super) struct Site<'t> {
    root: &'t Directive,
    /// `<Directory>` sections, by the paths that they are about: those of fewer files last.
    pub(super) layers: Vec<Place<'t>>,
}

impl<'t> Site<'t> {
    /// The files of a host.
    ///
    /// # Errors
    ///
    /// In a sentence: Apache could answer with something else.
    pub(super) fn of(host: &Host<'t>, server: &Server, ledger: &mut Ledger) -> Result<Self, String> {
        let root = host.last("documentroot").ok_or("there is no DocumentRoot in the files that were read")?;
        if let Some(problem) = &root.problem {
            return Err(format!("{}: {problem}", root.path));
        }
        let folder = plain(root.word(0)).ok_or_else(|| format!("{}: it is no absolute path", root.path))?;
        if !server.loaded.iter().any(|module| module.starts_with("mpm_")) {
            return Err("which programs the server runs is said in its first file: give that file, which has LoadModule, and what it includes".to_owned());
        }
        if let Some(module) = server.loaded.iter().find(|module| PROGRAMS.iter().any(|begin| module.starts_with(begin)))
        {
            return Err(format!(
                "the module {module} runs programs, whose text would be sent: forward to the server that runs them"
            ));
        }
        for node in &host.uncertain {
            if says_of_files(node, &folder) {
                return Err(format!("{}: it is not known whether the section is in force", node.directive().path));
            }
        }
        let sections = sections(host, &folder)?;
        let of_host = host.directives.iter().chain(host.places.iter().flat_map(|place| &place.directives)).copied();
        let of_sections = sections.iter().flat_map(|(_, _, nodes)| *nodes).filter_map(|node| match node {
            Node::Directive(directive) => Some(directive),
            Node::Section(..) => None,
        });
        of_host.chain(of_sections).try_for_each(|directive| is_plain(directive, &folder))?;
        let mut layers: Vec<Place<'t>> = Vec::new();
        for (paths, section, nodes) in sections {
            let mut layer = scope::built(section, nodes, paths, section.problem.clone(), ledger);
            if let Some(gate) = layer.directives.iter().find(|directive| GATES.contains(&directive.name.as_str())) {
                layer.closed.get_or_insert(format!("{}: it may refuse requests for files", gate.path));
            }
            for directive in &layer.directives {
                match directive.name.as_str() {
                    "allowoverride" | "allowoverridelist" => ledger.kept(&directive.path, "no file .htaccess is read"),
                    // Whether they count is known where a path is.
                    "directoryindex" | "addtype" => {}
                    name => known::dropped(name).into_iter().for_each(|why| ledger.dropped(&directive.path, why)),
                }
            }
            layers.push(layer);
        }
        // Apache takes them by the number of their parts.
        layers.sort_by_key(|layer| layer.section.word(0).trim_end_matches('/').matches('/').count());
        if let Some(section) = host.places.iter().chain(&layers).find_map(|place| place.uncertain) {
            return Err(format!("{}: it is not known whether the section is in force", section.path));
        }
        is_not_overridden(&layers)?;
        Ok(Self { root, layers })
    }

    /// The terminal of a path, behind these layers. `cuts` are the paths of which something else is said.
    ///
    /// # Errors
    ///
    /// In a sentence, if a directory would be answered with a file that has a rule of its own.
    pub(super) fn terminal<'c>(
        &self,
        layers: &[&Place<'_>],
        host: &Host<'_>,
        cuts: impl Iterator<Item = &'c Paths>,
        draft: &mut Draft,
        ledger: &mut Ledger,
    ) -> Result<Map, String> {
        if layers.iter().all(|layer| layer.require.is_none()) {
            return Err("no Require says who may read the files: write it into the <Directory> of DocumentRoot, and give that file, too".to_owned());
        }
        let folder = plain(self.root.word(0)).unwrap_or_default();
        draft.needs(&folder, Need::Directory);
        let mut terminal = Map::default().with("type", "static").with("directory", Yaml::File(folder));
        let index = index(layers, host, ledger);
        for cut in cuts {
            if index.iter().any(|name| cut.could_be_a_file(name)) {
                return Err(format!(
                    "a directory is answered with its DirectoryIndex, and what is said of {} may be about that file",
                    cut.shown()
                ));
            }
        }
        if index != ["index.html"] {
            terminal.set("index", &index[..]);
        }
        let types = types(layers, host, ledger);
        if !types.is_empty() {
            terminal.set("content_types", types);
        }
        ledger.changed(
            &self.root.path,
            "static: no listings, no names that begin with a dot, no links that lead out, and no MultiViews",
        );
        Ok(terminal)
    }
}

/// A path of files without parts that mean something else. Without a slash at its end.
fn plain(path: &str) -> Option<String> {
    let is_strange = path.contains("//") || path.split('/').any(|part| matches!(part, "." | ".."));
    let is_plain = path.starts_with('/') && !is_strange && !path.contains(['*', '?', '[', '\\', '$']);
    is_plain.then(|| path.trim_end_matches('/').to_owned()).filter(|path| !path.is_empty())
}

type Section<'t> = (Paths, &'t Directive, &'t [Node]);

/// The `<Directory>` sections that files of the folder are in.
fn sections<'t>(host: &Host<'t>, folder: &str) -> Result<Vec<Section<'t>>, String> {
    let mut found = Vec::new();
    for node in &host.files {
        let Node::Section(section, nodes) = node else { continue };
        let refused = |why: &str| Err(format!("{}: {why}", section.path));
        if is_about_hidden(section) {
            continue;
        }
        if section.name != "directory" {
            return refused("which files it is about is not carried over");
        }
        match place_of(section.word(0), folder) {
            Some(None) => {}
            Some(Some(paths)) if section.words.len() == 1 => found.push((paths, section, &nodes[..])),
            _ => return refused("which files it is about is not carried over"),
        }
    }
    Ok(found)
}

/// Which paths of a site a `<Directory>` is about. `Some(None)` for none, `None` if that is not known.
fn place_of(directory: &str, folder: &str) -> Option<Option<Paths>> {
    let directory = if directory == "/" { String::new() } else { plain(directory)? };
    if let Some(rest) = folder.strip_prefix(directory.as_str())
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return Some(Some(Paths::Below("/".to_owned())));
    }
    match directory.strip_prefix(folder) {
        Some(rest) if rest.starts_with('/') => Paths::location(rest).ok().map(Some),
        _ => Some(None),
    }
}

/// Whether a section is about names only that begin with a dot, which `static` never sends. `.well-known` it does.
fn is_about_hidden(section: &Directive) -> bool {
    let is_expression = section.name.ends_with("match") || section.word(0) == "~";
    let word = if section.word(0) == "~" { section.word(1) } else { section.word(0) };
    if section.problem.is_some() {
        return false;
    }
    let rest = match (section.name.as_str(), is_expression) {
        ("files", false) => word.strip_prefix('.'),
        ("files" | "filesmatch", true) => word.strip_prefix("^\\."),
        ("directory" | "directorymatch", true) => word.strip_prefix("/\\."),
        _ => None,
    };
    let Some(rest) = rest else { return false };
    let (group, behind) =
        match rest.strip_prefix("(?:").or(rest.strip_prefix('(')).and_then(|rest| rest.split_once(')')) {
            Some((group, behind)) => (group, behind),
            None => (rest, ""),
        };
    let is_group = rest.starts_with('(');
    // An alternative outside of a group has no dot.
    let has_others = behind.contains('|') || !is_group && is_expression && rest.contains('|');
    let is_name = |name: &str| name.starts_with(|letter: char| letter.is_ascii_alphanumeric() && letter != 'w');
    !has_others && !group.contains('(') && group.split('|').all(is_name)
}

/// Whether a section of which it is not known whether it is in force could be about files of the folder.
fn says_of_files(node: &Node, folder: &str) -> bool {
    match node {
        // A filter that only packs, or that has no effect without Options, may be there or not.
        Node::Directive(directive) if directive.name.starts_with("addoutputfilter") => {
            is_plain(directive, folder).is_err()
        }
        Node::Directive(directive) => ABOUT_FILES.contains(&directive.name.as_str()),
        Node::Section(section, _) if known::is_of_files(&section.name) => {
            let is_apart = section.name == "directory" && place_of(section.word(0), folder) == Some(None);
            !is_apart && !is_about_hidden(section)
        }
        Node::Section(_, nodes) => nodes.iter().any(|node| says_of_files(node, folder)),
    }
}

/// An error if a directive may make Apache answer with something else than the bytes of a file.
fn is_plain(directive: &Directive, folder: &str) -> Result<(), String> {
    let words: Vec<String> = directive.words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let first = words.first().map_or("", String::as_str);
    let problem = match directive.name.as_str() {
        // The same files have an address of their own, by which their text would be sent.
        "scriptalias" | "scriptaliasmatch" if place_of(directive.word(1), folder) != Some(None) => {
            "it runs programs that are among the files, whose text would be sent"
        }
        "addhandler" if first != "type-map" => "it may run programs, whose text would be sent",
        "sethandler" if !matches!(first, "none" | "default-handler") => "it may run programs, whose text would be sent",
        "addtype" | "forcetype" | "defaulttype" if is_for_programs(first) => {
            "it may run programs, whose text would be sent"
        }
        "forcetype" if first != "none" => "all files have one type, which `static` does not say",
        "setoutputfilter" | "addoutputfilter" | "addoutputfilterbytype" if !is_packed(first) => {
            "a filter changes what is sent"
        }
        "xbithack" if first != "off" => "pages may have parts that Apache puts together",
        "accessfilename" if words != [".htaccess"] => "files with another name than .htaccess may have conditions",
        "allowoverridelist" if words != ["none"] => HTACCESS,
        "allowoverride" if words != ["none"] => HTACCESS,
        "options" => match options(&words) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        name if ABOUT_FILES.contains(&name) || name == "sethandler" => match &directive.problem {
            Some(_) => "its value is not known",
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(format!("{}: {problem}", directive.path))
}

const HTACCESS: &str = "files .htaccess may have conditions, and Vestibule does not read them: if there are none, write AllowOverride None";

fn is_for_programs(kind: &str) -> bool {
    ["httpd", "server-parsed", "php", "cgi", "lsphp", "script-"].iter().any(|part| kind.contains(part))
}

fn is_packed(filters: &str) -> bool {
    filters.split(';').all(|filter| FILTERS.iter().any(|known| known.eq_ignore_ascii_case(filter)))
}

/// `Options`: nothing that runs, and links that are followed, as by `static`.
fn options(words: &[String]) -> Result<(), &'static str> {
    let set: Vec<&str> =
        words.iter().filter(|word| !word.starts_with('-')).map(|word| word.trim_start_matches('+')).collect();
    if words.iter().any(|word| word.contains('$')) {
        return Err("its value is not known");
    }
    if set.iter().any(|word| matches!(*word, "all" | "execcgi" | "includes" | "includesnoexec")) {
        return Err("it may run programs, or put pages together, and their text would be sent");
    }
    let is_whole = words.iter().any(|word| !word.starts_with(['+', '-']));
    if is_whole && !set.contains(&"followsymlinks") || words.iter().any(|word| word == "-followsymlinks") {
        return Err(
            "Apache follows no links there, or only some, and `static` follows those that stay in the directory: if there are none, write FollowSymLinks",
        );
    }
    Ok(())
}

/// An error if a `.htaccess` could be read.
fn is_not_overridden(layers: &[Place<'_>]) -> Result<(), String> {
    let is_said = layers.iter().any(|layer| layer.paths.is_all() && layer.last("allowoverride").is_some());
    if is_said { Ok(()) } else { Err(format!("the <Directory> of DocumentRoot: {HTACCESS}")) }
}

/// The directives of this name of the nearest section that has one, or of the host.
fn nearest<'t>(layers: &[&Place<'t>], host: &Host<'t>, name: &str) -> Vec<&'t Directive> {
    let of = |directives: &[&'t Directive]| -> Vec<&'t Directive> {
        directives.iter().filter(|directive| directive.name == name).copied().collect()
    };
    let (outside, own) = host.directives.split_at(host.inherited);
    let layers = layers.iter().rev().map(|layer| &layer.directives[..]);
    layers.chain([own, outside]).map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The pages for a directory.
fn index(layers: &[&Place<'_>], host: &Host<'_>, ledger: &mut Ledger) -> Vec<String> {
    let found = nearest(layers, host, "directoryindex");
    if found.is_empty() {
        return vec!["index.html".to_owned()];
    }
    let is_page = |name: &&String| {
        let is_kind = PAGES.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        is_kind && !name.contains(['/', '%', '$']) && !name.starts_with('.')
    };
    let all: Vec<&String> = found.iter().flat_map(|directive| &directive.words).collect();
    let pages: Vec<String> = all.iter().copied().filter(is_page).cloned().collect();
    for directive in &found {
        if pages.len() == all.len() {
            ledger.kept(&directive.path, "index");
        } else {
            ledger.changed(&directive.path, "index: pages only, in this order");
        }
    }
    pages
}

/// `AddType`: the types of extensions. The last counts.
fn types(layers: &[&Place<'_>], host: &Host<'_>, ledger: &mut Ledger) -> Map {
    let of_layers = layers.iter().rev().flat_map(|layer| layer.directives.iter().rev());
    let mut types = Map::default();
    for directive in of_layers.chain(host.directives.iter().rev()).filter(|directive| directive.name == "addtype") {
        let [kind, extensions @ ..] = &directive.words[..] else { continue };
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+~".contains(&byte);
        let names = extensions.iter().map(|extension| extension.trim_start_matches('.').to_ascii_lowercase());
        for name in names.filter(|name| !name.is_empty() && name.bytes().all(is_known)) {
            types.set(&name, kind.as_str());
        }
        ledger.kept(&directive.path, "content_types");
    }
    types
}

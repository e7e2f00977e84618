//! Which room may use which. The table is the design; these tests hold the code to it.
//!
//! A room is a directory in `crates/app/src/`, `crates/proxy/src/` or `crates/base/src/`, or one file there, or the crate `crates/user-pool`. A new edge is a line in [`ADDED`] with its reason, in a commit of its own.
//! Test code may use what it likes: files called `tests.rs`, files below a `tests/`, and a `mod tests` at a file's end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::rooms::{self, RoomFile};

/// "May use", as the rooms were laid out.
const LAYOUT: &[(&str, &str)] = &[
    ("cli", "app config crypto jose secret telemetry user_pool"),
    (
        "app",
        "action admin backchannel claims clock config drain exchange jose listener message oidc proxy rule \
         session telemetry upstream user_pool",
    ),
    (
        "config",
        "action admin backchannel claims listener message oidc rule secret session telemetry upstream user_pool",
    ),
    // The door for benches/: it reaches into what they measure, and no room comes back through it.
    ("bench_door", "claims clock crypto identity jose message rule secret session telemetry"),
    // The door for fuzz/: the same. What a target needs of the inside of a room is in a file of that room.
    (
        "fuzz_door",
        "app certificate config crypto forward_auth import jose listener message oidc proxy secret session upstream user_pool",
    ),
    ("serving", "drain listener proxy"),
    ("listener", "clock drain exchange message telemetry"),
    ("certificate", "backchannel clock crypto message secret telemetry"),
    ("proxy", "action clock exchange message rule telemetry user_pool"),
    ("exchange", "clock message telemetry"),
    ("rule", "message"),
    ("action", "claims clock exchange identity message oidc secret session telemetry upstream"),
    ("session", "clock crypto identity message secret"),
    ("oidc", "backchannel clock crypto jose message secret telemetry"),
    ("claims", "clock identity jose message"),
    ("upstream", "clock crypto drain message telemetry"),
    ("user_pool", "backchannel clock crypto jose message secret telemetry"),
    ("admin", "drain message telemetry"),
    ("console", "clock crypto message page secret user_pool"),
    ("backchannel", "message"),
    ("otlp", "backchannel clock message secret telemetry"),
    ("jose", "clock crypto secret"),
    ("crypto", "secret"),
    ("telemetry", "clock drain"),
    ("message", ""),
    ("page", "message"),
    ("identity", "secret"),
    ("clock", ""),
    ("database", "clock crypto secret"),
    ("secret", ""),
    ("testing", ""),
    ("drain", ""),
    ("flight", ""),
    ("budget", ""),
    ("forward_auth", "message"),
    ("static_files", "clock crypto message"),
    ("handover", ""),
    ("service_manager", ""),
    ("socket", ""),
    ("import", "clock config crypto"),
    ("token_client", "backchannel crypto message secret"),
];

/// Edges that came later: who, whom, why.
const ADDED: &[(&str, &str, &str)] = &[
    ("admin", "socket", "connections are accepted by one loop"),
    ("admin", "console", "its pages are on the admin address"),
    ("app", "console", "it is made for the pools of a configuration"),
    ("config", "console", "its password"),
    ("app", "handover", "the process that serves passes its sockets to the one that takes its place"),
    ("cli", "handover", "`serve --takeover` asks for the sockets before anything else is started"),
    ("app", "otlp", "spans are sent by tasks that outlive a configuration"),
    ("app", "serving", "each worker runs the loops that accept connections"),
    ("config", "otlp", "the settings of the collector"),
    ("app", "crypto", "the identity of a process in traces is random"),
    ("app", "service_manager", "the service manager is told when the process serves, reloads and stops"),
    ("cli", "service_manager", "`serve` reads from its environment where the service manager is"),
    ("cli", "token_client", "`login` gets a token for a program"),
    ("cli", "backchannel", "`login` calls an application and its issuer over the network"),
    ("token_client", "oidc", "answers of an issuer are read member by member in one way"),
    ("token_client", "page", "the page that a browser shows at the end of a sign-in"),
    ("cli", "message", "the causes of an error are said in one way"),
    ("cli", "import", "`import` reads files of other systems"),
    ("action", "static_files", "`static` answers with the files of a directory"),
    ("app", "static_files", "the directories of a configuration are made where it is assembled"),
    ("config", "static_files", "the settings of a directory are checked while the file can still be refused"),
    ("proxy", "static_files", "a file that could not be sent whole says why"),
    ("import", "rule", "whether a regular expression is for a whole text"),
    ("app", "forward_auth", "a listener that answers questions is made where the configuration is assembled"),
    ("config", "forward_auth", "the settings of such a listener"),
    ("proxy", "forward_auth", "a question is read into the request that it is about"),
    ("app", "identity", "`check` asks what the users of a pool can meet"),
    ("app", "certificate", "certificates are obtained and renewed as long as the process runs"),
    ("config", "certificate", "certificates are checked while the file can still be refused"),
    ("listener", "certificate", "a listener shows certificates"),
    ("proxy", "certificate", "a certificate authority reads the answer to its challenge on a listener"),
    ("action", "certificate", "`authorize` asks for the certificate of a client"),
    ("exchange", "certificate", "a request knows the certificate of its client"),
    ("app", "page", "the pages of a configuration are made where it is assembled"),
    ("app", "socket", "sockets are bound where they are accepted on"),
    ("cli", "socket", "the application that `dev` shows accepts its connections by the same loop"),
    ("socket", "clock", "how long ago the last failure was"),
    ("action", "flight", "a code is redeemed and a session refreshed once, whoever else asks meanwhile"),
    ("oidc", "flight", "a document of a provider is fetched once, whoever else asks meanwhile"),
    ("action", "jose", "the time of a sign-in has the leeway that times in tokens have"),
    ("action", "drain", "logins and refreshes run on the control runtime, bodies of upgrades on the worker's"),
    ("backchannel", "crypto", "the TLS provider is chosen in one place"),
    ("cli", "clock", "`dev` dates the certificates it makes"),
    ("cli", "drain", "the application that `dev` shows serves its connections until shutdown"),
    ("action", "page", "the pages after a sign-in and a sign-out"),
    ("cli", "page", "the application that `dev` shows has the same style, and `texts` prints what pages say"),
    ("config", "clock", "a duration is written as in the file, also by rooms that know no file"),
    ("config", "crypto", "keys and certificates are checked while the file can still be refused"),
    ("config", "identity", "a user's claims in the file are an identity's claims"),
    ("config", "page", "the theme of the pages is checked while the file can still be refused"),
    ("config", "jose", "signing keys are parsed while the file can still be refused"),
    ("static_files", "budget", "the places for answers with files are divided among client networks"),
    ("listener", "budget", "the memory of requests is divided among client addresses"),
    ("listener", "crypto", "the TLS provider is chosen in one place"),
    ("listener", "socket", "both ends of the proxy write to the network in one way"),
    ("exchange", "drain", "a tunnel ends with the listener of its connection"),
    ("exchange", "page", "error pages"),
    ("oidc", "identity", "an ID token's claims and userinfo's are merged into an identity's"),
    ("proxy", "drain", "what a request needs of the control runtime is handed over there"),
    ("proxy", "page", "the code of a page of the user pool is recorded"),
    ("proxy", "upstream", "a body that was cut says why"),
    ("proxy", "listener", "the proxy is the handler that a listener calls"),
    ("upstream", "secret", "the private key of a client certificate is a secret until it is parsed"),
    ("upstream", "socket", "both ends of the proxy write to the network in one way"),
    ("user_pool", "page", "the pages to sign in on"),
    ("user_pool", "identity", "a user's claims are an identity's claims"),
    ("user_pool", "drain", "messages are sent and old rows deleted until the process stops"),
    ("user_pool", "oidc", "users who sign in at another provider: the pool is its relying party"),
    ("user_pool", "database", "users that are added while the process runs"),
    ("app", "database", "a database stays open from one configuration to the next"),
    ("cli", "database", "`users` works on the database of a pool, beside the process that serves"),
    ("identity", "clock", "a sign-in that was ended is remembered for a time"),
    ("config", "database", "the keys of a database are checked while the file can still be refused"),
];

/// The same inside the user pool, between its directories. Its own files (`pool.rs`, `seal.rs`, …) serve all of them.
const USER_POOL: &[(&str, &str)] = &[
    // Pages show whose session it is.
    // Pages show which second factors there are, and the seed of one that is set up.
    ("hosted_ui", "account credential directory factors federation messages oauth self_service signin verification"),
    // What users see and change of themselves.
    ("account", "credential directory factors federation messages self_service signin verification"),
    ("oauth", "directory federation signin"),
    ("federation", "directory"),
    // A second factor may be a code that is sent.
    ("signin", "credential directory factors messages risk verification"),
    // What may be removed depends on what else the user has: a password, a verified address.
    ("factors", "credential directory"),
    // What users do without an administrator. An address that gets the codes of a second factor recovers nothing.
    ("self_service", "credential directory factors messages verification"),
    ("credential", ""),
    // Failures are counted by user name, in the one spelling that the directory gives it (attacks U-04).
    ("risk", "directory"),
    // A message names the code that it carries, so that a code that was replaced is not sent.
    ("messages", "directory verification"),
    ("verification", ""),
    ("directory", ""),
];

/// The rooms that a crate has. A crate sees only those below it, so that the compiler holds these edges, too.
const BASE: &str =
    "backchannel clock crypto database drain flight identity jose message oidc page secret telemetry testing";

/// Those that a request passes.
const PROXY: &str = "action budget certificate claims exchange forward_auth listener otlp proxy rule serving session socket static_files \
                     token_client upstream";

/// And inside `config`. Its `mod.rs` puts the steps together and is used by none of them.
const CONFIG: &[(&str, &str)] = &[
    ("validate", "document keys raw settled"),
    ("reference", "raw schemas"),
    // The file of `vestibule test`: another document, with lists as in the configuration.
    ("cases", "document raw schemas"),
    ("schemas", ""),
    // The machinery of a document knows none of our keys.
    ("document", ""),
    ("raw", ""),
    ("keys", ""),
    // The warnings of the file belong to it.
    ("settled", "document"),
];

/// Rooms that have a table of their own for their parts.
const SUB_ROOMS: [(&str, &[(&str, &str)]); 2] = [("user_pool", USER_POOL), ("config", CONFIG)];

#[test]
fn every_mention_of_a_room_is_an_allowed_edge() {
    let allowed = allowed();
    let rooms = rooms();
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.module.first().expect("a file belongs to a room");
        for path in &source.mentions {
            let named = &path[0];
            if !rooms.contains(named) {
                wrong.push(format!("{}: crate::{named} is no room", source.file.display()));
            } else if named != room
                && !allowed.get(room.as_str()).is_some_and(|may_use| may_use.contains(named.as_str()))
            {
                wrong.push(format!("{}: {room} may not use {named}", source.file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", report(wrong));
}

#[test]
fn sub_rooms_keep_to_their_own_table() {
    let mut wrong = Vec::new();
    for (room, rows) in SUB_ROOMS {
        let allowed = table(rows);
        let parts = parts_of(room);
        let is_sub_room = |name: &str| allowed.contains_key(name) && parts.contains(name);
        for source in sources().into_iter().filter(|source| source.module[0] == room) {
            let Some(sub_room) = source.module.get(1).filter(|name| is_sub_room(name)) else { continue };
            for path in source.mentions.iter().filter(|path| path[0] == room) {
                let Some(named) = path.get(1).filter(|name| is_sub_room(name)) else { continue };
                if named != sub_room && !allowed[sub_room.as_str()].contains(named.as_str()) {
                    wrong.push(format!("{}: {sub_room} may not use {named}", source.file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", report(wrong));
}

/// The file of a directory of modules, `mod.rs` or the one of its name, puts its children together and is for the outside. Children
/// name each other, or what they share becomes a child.
#[test]
fn no_file_uses_the_file_above_it() {
    let wrong = inner_uses().into_iter().filter(|used| is_above(used.whom, &used.who.module));
    let wrong: Vec<_> =
        wrong.map(|used| format!("{} uses {}", used.who.file.display(), used.path.join("::"))).collect();
    assert!(wrong.is_empty(), "{}", report(wrong));
}

#[test]
fn the_files_of_a_room_use_each_other_in_no_circle() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for used in inner_uses().iter().filter(|used| !is_above(used.whom, &used.who.module)) {
        uses.entry(used.who.module.join("::")).or_default().insert(used.whom.join("::"));
    }
    let left = circles(&uses);
    assert!(left.is_empty(), "in a circle, or between two circles: {left:#?}");
}

#[test]
fn circles_are_found() {
    let edges = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")];
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (who, whom) in edges {
        uses.entry(who.to_owned()).or_default().insert(whom.to_owned());
    }
    assert_eq!(circles(&uses), BTreeSet::from(["b".to_owned(), "c".to_owned()]));
}

/// An edge in stock is used one day without anybody deciding it.
#[test]
fn every_edge_of_a_table_is_used() {
    let mut unused = Vec::new();
    let sources = sources();
    let is_used = |room: &[&str], other: &[&str]| {
        let starts =
            |path: &[String], with: &[&str]| path.len() >= with.len() && path.iter().zip(with).all(|(a, b)| a == b);
        sources
            .iter()
            .any(|source| starts(&source.module, room) && source.mentions.iter().any(|mention| starts(mention, other)))
    };
    for (room, others) in table(LAYOUT) {
        unused
            .extend(others.iter().filter(|other| !is_used(&[room], &[other])).map(|other| format!("{room} → {other}")));
    }
    for (room, rows) in SUB_ROOMS {
        for (part, others) in table(rows) {
            let unused_here = others.iter().filter(|other| !is_used(&[room, part], &[room, other]));
            unused.extend(unused_here.map(|other| format!("{room}: {part} → {other}")));
        }
    }
    assert!(unused.is_empty(), "{}", report(unused));
}

#[test]
fn the_table_has_no_cycle() {
    let parts = SUB_ROOMS.map(|(room, rows)| (room, table(rows)));
    for (name, allowed) in std::iter::once(("rooms", allowed())).chain(parts) {
        let mut left = allowed;
        // Takes away whoever uses nobody that is left; what remains uses itself in a circle.
        loop {
            let bottom: BTreeSet<_> = left
                .iter()
                .filter(|(_, may_use)| !may_use.iter().any(|used| left.contains_key(used)))
                .map(|(room, _)| *room)
                .collect();
            if bottom.is_empty() {
                break;
            }
            left.retain(|room, _| !bottom.contains(room));
        }
        assert!(left.is_empty(), "{name}: a cycle among {:?}", left.keys());
    }
}

/// Whoever is in a crate of its own uses what is in the crates below.
#[test]
fn no_crate_needs_what_is_above_it() {
    let allowed = allowed();
    let mut at_hand = BTreeSet::new();
    for rooms in [BASE, "user_pool", PROXY] {
        at_hand.extend(rooms.split_whitespace());
        for room in rooms.split_whitespace() {
            let above: Vec<_> = allowed[room].difference(&at_hand).collect();
            assert_eq!(above, [""; 0].iter().collect::<Vec<_>>(), "{room} would need a crate above its own");
        }
    }
}

#[test]
fn the_table_names_the_rooms_that_there_are() {
    let listed: BTreeSet<String> = LAYOUT.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(listed, rooms(), "left: the table; right: the crates");
    let strangers: Vec<_> = allowed().into_values().flatten().filter(|used| !listed.contains(*used)).collect();
    assert!(strangers.is_empty(), "edges to rooms that don't exist: {strangers:?}");
}

#[test]
fn every_added_edge_has_a_reason_and_a_use() {
    let used: BTreeSet<(String, String)> = sources()
        .into_iter()
        .flat_map(|source| {
            let room = source.module[0].clone();
            source.mentions.into_iter().map(move |path| (room.clone(), path[0].clone()))
        })
        .collect();
    let layout = table(LAYOUT);
    for (room, other, reason) in ADDED {
        assert!(!reason.is_empty(), "{room} → {other} has no reason");
        assert!(!layout[room].contains(other), "{room} → {other} is in the layout already");
        assert!(used.contains(&((*room).to_owned(), (*other).to_owned())), "{room} → {other} is not needed any more");
    }
}

/// `super::` hides which file is meant, and is how a child comes to use its parent.
#[test]
fn a_file_names_the_room_it_uses() {
    let wrong =
        sources().into_iter().filter(|source| source.says_super).map(|source| source.file.display().to_string());
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "`super::` in {}", report(wrong));
}

/// Everything else would have to escape by itself (attacks X-01).
#[test]
fn only_the_templates_of_the_pages_have_html() {
    let tags = [
        "!doctype", "a", "body", "button", "code", "div", "form", "h1", "html", "input", "li", "meta", "p", "span",
        "strong", "table",
    ];
    let starts: Vec<String> = tags.iter().flat_map(|tag| [format!("<{tag}>"), format!("<{tag} ")]).collect();
    let found = |text: &str| starts.iter().find(|start| text.contains(&***start)).cloned();
    assert_eq!(found("format!(\"<p class='{}'>\")"), Some("<p ".to_owned()));
    let files = code();
    let wrong = files.iter().filter_map(|RoomFile { file, place }| {
        let text = strip(&fs::read_to_string(file).expect("a source file can be read"));
        Some(format!("{} has {}", place.display(), found(&text)?))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", report(wrong));
}

#[test]
fn mentions_are_found_in_every_way_to_write_them() {
    let text = "use crate::a::{self, b::C as D, e::{f, G}};\nfn x() -> crate::h::I<crate::j::K> { $crate::l!() }\n// crate::no\n\
                /* crate::no */ use my_crate::no; pub(in crate::m) use crate::n::*;\n#[cfg(test)]\nmod tests { use crate::no; }";
    let found: Vec<String> = mentions(&strip(text)).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a", "a::b::C", "a::e::f", "a::e::G", "h::I", "j::K", "l", "n"]);
}

/// A file that uses another file of its room.
struct Used<'s> {
    who: &'s Source,
    whom: &'s [String],
    /// As written.
    path: &'s [String],
}

/// Every use of a file by another file of the same room.
fn inner_uses() -> Vec<Used<'static>> {
    let all: &'static [Source] = sources().leak();
    let modules: BTreeSet<&[String]> = all.iter().map(|source| &*source.module).collect();
    let mut uses = Vec::new();
    for who in all.iter().filter(|source| !source.is_for_tests()) {
        for path in who.mentions.iter().filter(|path| path[0] == who.module[0]) {
            let depth = (1..=path.len()).rev().find(|depth| modules.contains(&path[..*depth]));
            let whom = &path[..depth.expect("its room is a module")];
            if whom != who.module {
                uses.push(Used { who, whom, path });
            }
        }
    }
    uses
}

fn is_above(module: &[String], below: &[String]) -> bool {
    module.len() < below.len() && below.starts_with(module)
}

/// What is left when whoever uses nobody, or is used by nobody, is taken away again and again.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut left: BTreeSet<String> =
        uses.iter().flat_map(|(who, whom)| std::iter::once(who).chain(whom)).cloned().collect();
    loop {
        let uses_one = |who: &String| uses.get(who).is_some_and(|whom| whom.iter().any(|whom| left.contains(whom)));
        let is_used = |whom: &String| uses.iter().any(|(who, all)| left.contains(who) && all.contains(whom));
        let next: BTreeSet<String> = left.iter().filter(|file| uses_one(file) && is_used(file)).cloned().collect();
        if next == left {
            return left;
        }
        left = next;
    }
}

struct Source {
    file: PathBuf,
    /// `["user_pool", "oauth", "token"]` for `user_pool/oauth/token.rs`.
    module: Vec<String>,
    /// What follows each `crate::`, one entry for each name in braces.
    mentions: Vec<Vec<String>>,
    says_super: bool,
}

impl Source {
    /// Whether the product is built without it.
    fn is_for_tests(&self) -> bool {
        self.module.iter().any(|name| name == "tests" || name == "fuzz")
    }
}

fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut allowed = table(LAYOUT);
    for (room, other, _) in ADDED {
        allowed.entry(room).or_default().insert(other);
    }
    allowed
}

fn table(rows: &'static [(&'static str, &'static str)]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    rows.iter().map(|(room, may_use)| (*room, may_use.split_whitespace().collect())).collect()
}

fn rooms() -> BTreeSet<String> {
    let first = |place: &Path| place.iter().next().map(Path::new).map(|room| room.with_extension(""));
    let found = rooms::files().into_iter().filter_map(|file| first(&file.place));
    found.map(|room| room.to_string_lossy().into_owned()).filter(|name| !["lib", "main"].contains(&&**name)).collect()
}

/// The names of the modules of a room, and of what its `mod.rs` gives to the outside.
fn parts_of(room: &str) -> BTreeSet<String> {
    let files = rooms::files();
    let below = files.iter().filter_map(|file| file.place.strip_prefix(room).ok());
    let mut parts: BTreeSet<String> = below
        .filter_map(|place| place.iter().next())
        .map(|part| Path::new(part).with_extension("").to_string_lossy().into_owned())
        .collect();
    let own = files.iter().find(|file| file.place == Path::new(room).join("mod.rs"));
    for line in own
        .map(|own| fs::read_to_string(&own.file).expect("a source file can be read"))
        .iter()
        .flat_map(|text| text.lines())
    {
        if let Some((_, names)) = line.split_once("use ").filter(|_| line.starts_with("pub")) {
            parts.extend(names.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(str::to_owned));
        }
    }
    parts
}

fn sources() -> Vec<Source> {
    code().iter().filter_map(read).collect()
}

/// The files of code that are no file of tests.
fn code() -> Vec<RoomFile> {
    let is_code = |place: &Path| {
        place.extension().is_some_and(|extension| extension == "rs")
            && !place.ends_with("tests.rs")
            && !place.iter().any(|part| part == "tests")
    };
    rooms::files().into_iter().filter(|file| is_code(&file.place)).collect()
}

/// `None` for `lib.rs` and `main.rs`, which are no room's.
fn read(RoomFile { file, place }: &RoomFile) -> Option<Source> {
    let module = place.with_extension("");
    let mut module: Vec<String> = module.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.len() == 1 && ["lib", "main"].contains(&module[0].as_str()) {
        return None;
    }
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let text = strip(&fs::read_to_string(file).expect("a source file can be read"));
    let says_super = text.match_indices("super::").any(|(at, _)| starts_a_word(&text, at));
    let mut mentions = mentions(&text);
    if let Some(room) = rooms::room_of_crate(file) {
        // `crate::oauth` of the crate `user_pool`, and `crate::message`, which its root has from the crate below.
        let own: BTreeSet<String> = parts_of(room);
        for path in mentions.iter_mut().filter(|path| own.contains(&path[0])) {
            path.insert(0, room.to_owned());
        }
    }
    Some(Source { file: place.clone(), module, mentions, says_super })
}

/// Leaves out comments and the test module at the end.
fn strip(text: &str) -> String {
    let text = text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code);
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("/*") {
        kept.push_str(&rest[..at]);
        rest = rest[at..].split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn mentions(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("crate::") {
        // `pub(in crate::a)` says who may see something, not what is used.
        if starts_a_word(text, at) && !text[..at].ends_with("(in ") {
            tree(&text[at + word.len()..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Whether what is at this place is not the end of a longer name.
fn starts_a_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
}

/// Reads one path or tree of paths, as in `use`; returns what is after it.
fn tree<'text>(text: &'text str, above: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'text str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = tree(rest, above, found);
            // Past ` as Other` and the comma.
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            let Some(after) = rest[end..].strip_prefix(',') else { return rest[end..].strip_prefix('}').unwrap_or("") };
            rest = after;
            if let Some(after) = rest.trim_start().strip_prefix('}') {
                return after;
            }
        }
    }
    let length = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    if name.is_empty() || name == "self" {
        found.push(above.clone());
        return rest;
    }
    above.push(name.to_owned());
    let rest = match rest.strip_prefix("::") {
        Some(below) if !below.starts_with('<') => tree(below, above, found),
        _ => {
            found.push(above.clone());
            rest
        }
    };
    above.pop();
    rest
}

fn report(mut lines: Vec<String>) -> String {
    lines.sort();
    lines.dedup();
    format!("\n{}", lines.join("\n"))
}

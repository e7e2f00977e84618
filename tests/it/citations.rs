//! Every citation in the code and the documents leads to a place that exists in `docs/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::rooms::{self, root};

/// The word before a citation, the document that it cites, and how the document marks what can be cited.
const CATALOGUES: [(&str, &str, fn(&str) -> BTreeSet<String>); 4] = [
    ("attacks ", "docs/ATTACKS.md", attack_ids),
    ("pitfalls ", "docs/PITFALLS.md", numbered_items),
    ("ALB ", "docs/ALB.md", numbered_headings),
    ("DESIGN ", "docs/DESIGN.md", numbered_headings),
];

#[test]
fn every_citation_leads_somewhere() {
    let mut dead = Vec::new();
    let mut found = 0;
    let files = text_files();
    for (word, document, places) in CATALOGUES {
        let places = places(&fs::read_to_string(root().join(document)).expect(document));
        for file in &files {
            let text = fs::read_to_string(file).expect("a text file");
            for (number, line) in text.lines().enumerate() {
                for cited in citations(line, word) {
                    found += 1;
                    if !places.contains(&cited) {
                        dead.push(format!("{}:{}: {word}{cited}", file.display(), number + 1));
                    }
                }
            }
        }
    }
    assert!(dead.is_empty(), "citations that lead nowhere:\n{}", dead.join("\n"));
    assert!(found > 150, "only {found} citations were found: is the scanner broken?");
}

#[test]
fn nothing_cites_a_document_that_is_not_here() {
    let mut found = Vec::new();
    for file in text_files().iter().filter(|file| !file.ends_with("tests/it/citations.rs")) {
        let text = fs::read_to_string(file).expect("a text file");
        for (number, line) in text.lines().enumerate() {
            if line.to_lowercase().contains("spec §") {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn documents_for_operators_cite_no_specification_that_they_cannot_read() {
    let documents =
        fs::read_dir(root().join("docs")).expect("a directory").map(|entry| entry.expect("an entry").path());
    for file in
        documents.filter(|file| file.extension().is_some_and(|ending| ending == "md") && !file.ends_with("ATTACKS.md"))
    {
        let text = fs::read_to_string(&file).expect("a text file");
        assert!(!text.contains("pool §"), "{}", file.display());
    }
}

#[test]
fn every_cited_decision_is_the_only_one_of_its_number() {
    let mut numbers: Vec<u32> = fs::read_dir(root().join("docs/decisions"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .map(|name| name.split('-').next().and_then(|number| number.parse().ok()).expect("a number first"))
        .collect();
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        assert_ne!(pair[0], pair[1], "two decisions of one number");
    }
    let mut found = 0;
    for file in text_files().iter().filter(|file| !file.ends_with("tests/it/citations.rs")) {
        let text = fs::read_to_string(file).expect("a text file");
        for word in ["decision ", "decisions/"] {
            for (_, rest) in text.match_indices(word).map(|(at, word)| text[at..].split_at(word.len())) {
                let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
                let Ok(number) = digits.parse::<u32>() else { continue };
                found += 1;
                assert!(numbers.contains(&number), "{}: decision {number}", file.display());
                if word == "decisions/" {
                    let name =
                        &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())];
                    let starts = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(name);
                    let mut entries = fs::read_dir(root().join("docs/decisions")).expect("a directory");
                    assert!(entries.any(|entry| starts(entry.expect("an entry"))), "{}: {name}", file.display());
                }
            }
        }
    }
    assert!(found >= 8, "only {found} citations were found: is the scanner broken?");
}

/// A file that moves leaves its old name behind, in documents and in comments.
#[test]
fn every_named_source_file_exists() {
    let sources = sources();
    let (mut gone, mut found) = (Vec::new(), 0);
    for file in text_files().iter().filter(|file| !file.ends_with("CHANGELOG.md")) {
        let is_code = file.extension().is_some_and(|end| end == "rs");
        let text = fs::read_to_string(file).expect("a text file");
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !is_code || line.trim().starts_with("//")) {
            for name in source_names(line) {
                found += 1;
                if !sources.keys().any(|source| source.ends_with(name)) {
                    gone.push(format!("{}:{}: {name}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(gone.is_empty(), "files that do not exist (were they moved?):\n{}", gone.join("\n"));
    assert!(found > 200, "only {found} names were found: is the scanner broken?");
}

#[test]
fn the_code_map_has_every_room() {
    let document = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the document");
    let (_, map) = document.split_once("## Code map").expect("the code map");
    let rows = map.split("## ").next().unwrap_or_default().lines().filter_map(|row| row.split('|').nth(1));
    let named: BTreeSet<&str> = rows.flat_map(quoted).collect();
    let files = rooms::files();
    let first = files.iter().filter_map(|file| file.place.iter().next()).map(|room| Path::new(room).with_extension(""));
    let rooms: BTreeSet<String> = first.map(|room| file_name(&room)).collect();
    let rooms: BTreeSet<&str> =
        rooms.iter().map(String::as_str).filter(|room| !["lib", "main"].contains(room)).collect();
    assert_eq!(named, rooms, "the table in docs/ARCHITECTURE.md, and the rooms that there are");
}

/// The table names a file, then what bounds the memory there, and at the end the tests that hold it.
#[test]
fn every_bound_in_the_table_of_threats_is_where_it_says() {
    let document = fs::read_to_string(root().join("docs/THREATS.md")).expect("the document");
    let sources = sources();
    let (mut gone, mut found) = (Vec::new(), 0);
    for row in document.lines().filter(|line| line.contains(".rs`")) {
        let cells: Vec<&str> = row.split('|').collect();
        let [_, memory, places, .., tests, _] = cells[..] else { continue };
        let mut text = "";
        for name in quoted(places) {
            match sources.get(&root().join("src").join(name)) {
                Some(source) => text = source,
                None if text.is_empty() || text.contains(name) => {}
                None => gone.push(format!("{}: `{name}`", memory.trim())),
            }
            found += 1;
        }
        for test in quoted(tests) {
            let function = format!("fn {test}(");
            if !sources.values().any(|source| source.contains(&function)) {
                gone.push(format!("{}: the test `{test}`", memory.trim()));
            }
        }
    }
    assert!(gone.is_empty(), "what docs/THREATS.md names and the code does not have:\n{}", gone.join("\n"));
    assert!(found > 40, "only {found} names were found: is the scanner broken?");
}

#[test]
fn the_scanner_finds_names_of_source_files() {
    let check = |line: &str, expected: &[&str]| assert_eq!(source_names(line).collect::<Vec<_>>(), expected, "{line}");
    check("`rule/mod.rs` decides, `index.rs` preselects.", &["rule/mod.rs", "index.rs"]);
    check("as in tests/it/rules.rs.", &["tests/it/rules.rs"]);
    check("`config/{raw,validate}/action.rs`, `action/<name>.rs`, `*.rs`", &["action.rs"]);
    check("https://docs.rs/h2 and `h2`", &[]);
}

#[test]
fn the_scanner_reads_lists_ranges_and_sections() {
    check("(attacks P-03)", "attacks ", &["P-03"]);
    check("(attacks S-03, C-13).", "attacks ", &["S-03", "C-13"]);
    check("attacks R-01…R-03", "attacks ", &["R-01", "R-02", "R-03"]);
    check("(attacks S-03, pitfalls 29)", "attacks ", &["S-03"]);
    check("(attacks §4.2)", "attacks ", &["§4"]);
    check("(pitfalls 70–72)", "pitfalls ", &["70", "71", "72"]);
    check("(pitfalls 4, 5)", "pitfalls ", &["4", "5"]);
    check("(ALB §7.2, §7.4)", "ALB ", &["7.2", "7.4"]);
    check("(ALB §2.4–2.5)", "ALB ", &["2.4", "2.5"]);
    check("(ALB §1.3.6)", "ALB ", &["1.3"]);
    check("the ALB has many attacks of its own", "attacks ", &[]);
}

#[track_caller]
fn check(line: &str, word: &str, expected: &[&str]) {
    assert_eq!(citations(line, word), expected, "{line}");
}

/// What `line` cites of one document: the ids behind the word, with ranges written out.
fn citations(line: &str, word: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (at, _) in line.match_indices(word) {
        let mut rest = &line[at + word.len()..];
        let mut is_range = false;
        while let Some((id, behind)) = read_id(rest, word) {
            match found.last().filter(|_| is_range) {
                Some(first) => found.extend(range(first, &id)),
                None => found.push(id),
            }
            let (separator, next) = [(true, "…"), (true, "–"), (false, ", ")]
                .into_iter()
                .find_map(|(range, text)| behind.strip_prefix(text).map(|next| (Some(range), next)))
                .unwrap_or((None, ""));
            let Some(range) = separator else { break };
            (is_range, rest) = (range, next);
        }
    }
    found
}

/// One id at the start of `text`, and what follows it.
fn read_id<'t>(text: &'t str, word: &str) -> Option<(String, &'t str)> {
    let numbers = |text: &str| text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    match word {
        "attacks " if text.starts_with('§') => {
            let (section, rest) = text["§".len()..].split_at(numbers(&text["§".len()..]));
            Some((format!("§{}", section.split('.').next()?), rest))
        }
        "attacks " => {
            let mut chars = text.chars();
            let is_id = chars.next()?.is_ascii_uppercase() && chars.next()? == '-' && chars.next()?.is_ascii_digit();
            let end = 2 + text.get(2..)?.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - 2);
            is_id.then(|| (text[..end].to_owned(), &text[end..]))
        }
        "pitfalls " => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
        }
        _ => {
            let text =
                text.strip_prefix('§').or_else(|| text.strip_prefix(|c: char| c.is_ascii_digit()).and(Some(text)))?;
            let (section, rest) = text.split_at(numbers(text));
            let numbers: Vec<&str> = section.split('.').filter(|number| !number.is_empty()).take(2).collect();
            (!numbers.is_empty()).then(|| (numbers.join("."), rest))
        }
    }
}

/// The ids after `first` up to `last`: `R-01` and `R-03` give `R-02` and `R-03`.
fn range(first: &str, last: &str) -> Vec<String> {
    let split = |id: &str| {
        let at = id.rfind(['-', '.']).map_or(0, |at| at + 1);
        (id[..at].to_owned(), id[at..].parse::<u32>().expect("a number"), id.len() - at)
    };
    let ((prefix, from, width), (_, to, _)) = (split(first), split(last));
    (from + 1..=to).map(|number| format!("{prefix}{number:0width$}")).collect()
}

/// The ids in the first column of each table, with `R-01 to R-05` written out, and the numbered sections.
fn attack_ids(document: &str) -> BTreeSet<String> {
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for line in document.lines() {
        if let Some(section) = line.strip_prefix("## §") {
            ids.extend(section.split(' ').next().map(|number| format!("§{number}")));
        }
        let Some(cell) = line.strip_prefix("| ").and_then(|row| row.split(" |").next()) else { continue };
        let cell = cell.trim_end_matches(" †").replace(" to ", "…");
        ids.extend(citations(&format!("attacks {cell}"), "attacks "));
    }
    ids
}

fn numbered_items(document: &str) -> BTreeSet<String> {
    document.lines().filter_map(|line| line.split_once(". ")).map(|(number, _)| number.to_owned()).collect()
}

fn numbered_headings(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    headings
        .filter_map(|heading| heading.split(' ').next())
        .map(|number| number.trim_end_matches('.').to_owned())
        .collect()
}

/// The names of Rust files in a line. A name with a placeholder is none.
fn source_names(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_-./".contains(letter));
    let names = words.map(|word| word.trim_start_matches('/').trim_end_matches('.'));
    names.filter(|name| name.ends_with(".rs") && !name.ends_with("/.rs") && *name != ".rs")
}

/// What is between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Every Rust file, with its text. A file of a room is there by its path, and as if all rooms were in `src/`: documents name it by its room.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut files = Vec::new();
    for directory in ["src", "tests/it", "benches", "fuzz/fuzz_targets", "crates/allocator", "crates/priority"] {
        collect(&root().join(directory), &mut files);
    }
    let others = files.into_iter().map(|file| (file.clone(), file));
    let names = |file: rooms::RoomFile| {
        [root().join("src").join(file.place), file.file.clone()].map(|name| (name, file.file.clone()))
    };
    let of_rooms = rooms::files().into_iter().flat_map(names);
    let code = others.chain(of_rooms).filter(|(_, file)| file.extension().is_some_and(|end| end == "rs"));
    code.map(|(name, file)| (name, fs::read_to_string(file).expect("a text file"))).collect()
}

/// Every file of ours that people read.
fn text_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "fuzz/README.md", "Cargo.toml", "deny.toml"]
            .map(|name| root().join(name))
            .to_vec();
    for directory in rooms::directories().chain(["tests/it", "docs", "benches", "config"]) {
        collect(&root().join(directory), &mut files);
    }
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let is_text = path
            .extension()
            .is_some_and(|end| ["rs", "md", "py", "yaml", "toml", "snap"].iter().any(|text| end == *text));
        if path.is_dir() {
            collect(&path, files);
        } else if is_text {
            files.push(path);
        }
    }
}

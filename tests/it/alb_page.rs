//! `docs/ALB.md` has a verdict for everything that the load balancer does, and names tests that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How many rows each section has. A row that is added or taken away is meant.
const ROWS: [(&str, usize); 48] = [
    ("1.1", 13),
    ("1.2", 8),
    ("1.3", 6),
    ("1.4", 8),
    ("2.1", 12),
    ("2.2", 11),
    ("2.3", 3),
    ("2.4", 13),
    ("2.5", 14),
    ("2.6", 3),
    ("2.7", 4),
    ("2.8", 8),
    ("2.9", 1),
    ("3.1", 13),
    ("3.2", 6),
    ("3.3", 2),
    ("4.1", 5),
    ("4.2", 12),
    ("4.3", 7),
    ("4.4", 3),
    ("5", 7),
    ("6.1", 19),
    ("6.2", 18),
    ("6.3", 6),
    ("6.4", 37),
    ("6.5", 22),
    ("7.1", 7),
    ("7.2", 16),
    ("7.3", 25),
    ("7.4", 9),
    ("8.1", 6),
    ("8.2", 11),
    ("8.3", 12),
    ("8.4", 6),
    ("9.1", 7),
    ("9.2", 6),
    ("9.3", 15),
    ("9.4", 15),
    ("9.5", 9),
    ("10.1", 12),
    ("10.2", 7),
    ("10.3", 5),
    ("10.4", 5),
    ("10.5", 9),
    ("10.6", 16),
    ("10.7", 6),
    ("10.8", 14),
    ("10.9", 13),
];

/// A row of a table: its section, what it is about, the verdict, the names of its tests.
#[derive(Clone, Debug)]
struct Row {
    section: String,
    about: String,
    verdict: String,
    tests: String,
}

impl Row {
    /// What is wrong with it. `tests` are all that exist, with the files that have them.
    fn faults(&self, tests: &BTreeMap<String, Vec<PathBuf>>) -> Vec<String> {
        let (word, rest) =
            self.verdict.split_at(self.verdict.find([':', '.', ',', ' ', ';']).unwrap_or(self.verdict.len()));
        let named: Vec<&str> = self.tests.split('`').skip(1).step_by(2).collect();
        let mut faults = Vec::new();
        match word {
            "Same" => {}
            // What is better, or why it is not, is said.
            "Better" if rest.strip_prefix(": ").is_some_and(|how| how.len() >= 3) => {}
            "Not" if rest.strip_prefix(": ").is_some_and(|why| why.len() >= 10) => {}
            _ => faults.push(format!("no verdict with its reason: {:?}", self.verdict)),
        }
        if named.is_empty() && word != "Not" {
            faults.push("no test".to_owned());
        }
        for name in named {
            if !exists(name, tests) {
                faults.push(format!("there is no test `{name}`"));
            }
        }
        faults.into_iter().map(|fault| format!("§{} {}: {fault}", self.section, self.about)).collect()
    }
}

/// Whether there is a test of that name: `function`, or `module::function` with the end of its path.
pub fn exists(name: &str, tests: &BTreeMap<String, Vec<PathBuf>>) -> bool {
    let (modules, function) = name.rsplit_once("::").unwrap_or(("", name));
    let modules: Vec<&str> = modules.split("::").filter(|module| !module.is_empty()).collect();
    // A module of tests is called after what it tests.
    let is_in = |file: &PathBuf| {
        let mut parts: Vec<String> = file.with_extension("").iter().map(|part| part.to_string_lossy().into()).collect();
        let ends = |parts: &[String]| parts.iter().map(String::as_str).collect::<Vec<_>>().ends_with(&modules);
        ends(&parts) || parts.pop_if(|last| last == "tests").is_some() && ends(&parts)
    };
    tests.get(function).is_some_and(|files| files.iter().any(is_in))
}

/// The rows of the sections that have verdicts, and what is wrong with the form of their tables.
fn rows(page: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let (mut section, mut columns) = (String::new(), None);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            section = heading.split(' ').next().expect("a first word").trim_end_matches('.').to_owned();
        }
        let number: Option<u32> = section.split('.').next().and_then(|number| number.parse().ok());
        if !number.is_some_and(|number| (1..=10).contains(&number)) || !line.starts_with('|') {
            columns = None;
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match columns {
            None if cells.ends_with(&["Vestibule", "Test"]) => columns = Some(cells.len()),
            None => faults.push(format!("§{section}: a table without verdicts: {line}")),
            Some(_) if cells.iter().all(|cell| cell.trim_matches('-').is_empty() && !cell.is_empty()) => {}
            Some(count) if count == cells.len() => rows.push(Row {
                section: section.clone(),
                about: cells[0].to_owned(),
                verdict: cells[count - 2].to_owned(),
                tests: cells[count - 1].to_owned(),
            }),
            Some(_) => faults.push(format!("§{section}: a row with more or fewer cells: {line}")),
        }
    }
    (rows, faults)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every function that is a test, with the files that have one of that name, from the root.
pub fn tests() -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut folders = vec![root().join("src"), root().join("crates"), root().join("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                for name in tests_in(&text) {
                    found.entry(name).or_default().push(path.strip_prefix(root()).expect("below it").to_owned());
                }
            }
        }
    }
    found
}

/// The names of the functions with `#[test]` or `#[tokio::test…]`.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
            if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
                names.push(rest.split('(').next().expect("a name").to_owned());
            }
        }
    }
    names
}

#[test]
fn every_row_has_a_verdict_and_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/ALB.md")).expect("the page");
    let ((rows, mut faults), tests) = (rows(&page), tests());
    faults.extend(rows.iter().flat_map(|row| row.faults(&tests)));
    assert!(faults.is_empty(), "docs/ALB.md:\n{}", faults.join("\n"));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *counts.entry(&row.section).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from(ROWS), "sections and their rows");
}

#[test]
fn sections_keep_their_numbers() {
    let page = fs::read_to_string(root().join("docs/ALB.md")).expect("the page");
    let numbers: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")?.split('.').next()).collect();
    let expected: Vec<String> = (1..=13).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let tests = BTreeMap::from([("it_works".to_owned(), vec![PathBuf::from("tests/it/login.rs")])]);
    let found = |table: &str| {
        let (rows, mut faults) =
            rows(&format!("## 1. One\n\n### 1.1 First\n\n{table}\n\n## 11. Other\n\n| a | b |\n|---|---|\n"));
        faults.extend(rows.iter().flat_map(|row| row.faults(&tests)));
        faults.len()
    };
    let head = "| What | Vestibule | Test |\n|---|---|---|\n";
    for good in [
        "Same | `it_works`",
        "Same: it is | `login::it_works`",
        "Better: it does more than that | `it::login::it_works`",
        "Not: nobody has ever needed it | ",
    ] {
        assert_eq!(found(&format!("{head}| a | {good} |")), 0, "{good}");
    }
    for bad in [
        "Same | ",
        "Better | `it_works`",
        "Better: | `it_works`",
        "Not | ",
        "Not: no | ",
        "Perhaps: some day it may | `it_works`",
        " | `it_works`",
        "Same | `it_fails`",
        "Same | `logout::it_works`",
        "Same | `it_works` | x",
    ] {
        assert_eq!(found(&format!("{head}| a | {bad} |")), 1, "{bad}");
    }
    assert_eq!(found("| What | Vestibule |\n|---|---|"), 2, "a table without verdicts");
    let source =
        "#[test]\n#[ignore]\nfn one() {\n#[tokio::test(start_paused = true)]\n// why\nasync fn two() {\nfn three() {\n";
    assert_eq!(tests_in(source), ["one", "two"]);
    let unique: BTreeSet<&str> = ROWS.iter().map(|(section, _)| *section).collect();
    assert_eq!(unique.len(), ROWS.len());
}

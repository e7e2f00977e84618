use std::fs;

use super::build::{Builder, Counts, Lines};
use super::*;
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};

const ALL: Lines = Lines::Hashes { min_count: 0 };

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A list of these passwords, made with memory for `in_memory` entries.
fn list(directory: &Directory, passwords: &[&str], in_memory: usize) -> (BreachList, Counts) {
    let (input, out) = (directory.join("passwords.txt"), directory.join("breached"));
    fs::write(&input, passwords.join("\n")).expect("written");
    let mut builder = Builder::new(&out, in_memory);
    builder.add(&input, Lines::Plain, |_| {}).expect("read");
    let counts = builder.finish(|_| {}).expect("made");
    (BreachList::open(&out).expect("a list"), counts)
}

/// A list of these passwords.
pub(crate) fn list_of(directory: &Directory, passwords: &[&str]) -> BreachList {
    list(directory, passwords, 100).0
}

#[test]
fn a_password_is_found_whatever_the_size_of_the_parts() {
    let directory = temporary_directory("breach-parts");
    let passwords: Vec<String> = (0..2000).map(|number| format!("password-{}", number % 1500)).collect();
    let passwords: Vec<&str> = passwords.iter().map(String::as_str).collect();
    for in_memory in [1, 7, 1000, 5000] {
        // One part for each password would be too many open files.
        let passwords = if in_memory == 1 { &passwords[..20] } else { &passwords[..] };
        let (list, counts) = list(&directory, passwords, in_memory.max(passwords.len() / 100));
        let different = passwords.len().min(1500) as u64;
        assert_eq!(counts, Counts { lines: passwords.len() as u64, rare: 0, entries: different });
        for password in passwords {
            assert!(list.contains(&secret(password)).expect("read"), "{password}");
        }
        for other in ["password-1500", "Password-1", ""] {
            assert!(!list.contains(&secret(other)).expect("read"), "{other}");
        }
        let left: Vec<_> =
            fs::read_dir(&*directory).expect("a directory").map(|entry| entry.expect("read").file_name()).collect();
        assert_eq!(left.len(), 2, "no other file is left: {left:?}");
    }
}

#[test]
fn u_04_a_password_is_found_in_either_unicode_form() {
    let directory = temporary_directory("breach-unicode");
    let (list, _) = list(&directory, &["caf\u{e9} au lait", "the\u{301} vert"], 100);
    for known in ["caf\u{e9} au lait", "cafe\u{301} au lait", "the\u{301} vert"] {
        assert!(list.contains(&secret(known)).expect("read"), "{known}");
    }
}

/// The hashes are those that Have I Been Pwned has for `password`, `123456` and `correcthorsebatterystaple`.
#[test]
fn downloads_of_have_i_been_pwned_are_read() {
    let directory = temporary_directory("breach-hibp");
    let (one, range, out) = (directory.join("hashes.txt"), directory.join("BFD36.txt"), directory.join("breached"));
    let lines =
        "7C4A8D09CA3762AF61E59520943DC26494F8941B:37359195\r\n\r\n5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8:9545824\r\n";
    fs::write(&one, lines).expect("written");
    fs::write(&range, "17727EAB0E800E62A776C76381DEFBC4145:1\n").expect("written");
    let mut builder = Builder::new(&out, 100);
    let mut bytes = 0;
    builder.add(&one, Lines::Hashes { min_count: 10_000_000 }, |read| bytes += read).expect("read");
    assert_eq!(bytes, lines.len() as u64);
    builder.add(&range, ALL, |_| {}).expect("read");
    assert_eq!(builder.collected(), 2);
    let counts = builder.finish(|_| {}).expect("made");
    assert_eq!(counts, Counts { lines: 3, rare: 1, entries: 2 });
    let list = BreachList::open(&out).expect("a list");
    assert!(list.contains(&secret("123456")).expect("read"));
    assert!(!list.contains(&secret("password")).expect("read"), "it was seen too seldom");
    assert!(list.contains(&secret("correcthorsebatterystaple")).expect("read"), "the name of the file has five digits");
}

#[test]
fn lines_that_are_no_hashes_are_refused_and_not_repeated() {
    let directory = temporary_directory("breach-lines");
    let (input, out) = (directory.join("hashes.txt"), directory.join("breached"));
    let long = "5".repeat(5000);
    for line in [
        "hunter2",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:many",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FDX:1",
        &long,
    ] {
        fs::write(&input, format!("7C4A8D09CA3762AF61E59520943DC26494F8941B:1\n{line}\n")).expect("written");
        let refused = Builder::new(&out, 100).add(&input, ALL, |_| {}).expect_err("refused").to_string();
        assert!(refused.starts_with("line 2 of") && !refused.contains(line), "{refused}");
    }
    assert!(!out.exists());
}

#[test]
fn a_list_takes_the_place_of_the_one_before_and_an_open_one_stays() {
    let directory = temporary_directory("breach-replace");
    let (before, _) = list(&directory, &["hunter2"], 100);
    let (after, _) = list(&directory, &["correct horse"], 100);
    assert!(before.contains(&secret("hunter2")).expect("read"));
    assert!(
        !after.contains(&secret("hunter2")).expect("read") && after.contains(&secret("correct horse")).expect("read")
    );
}

#[test]
fn what_is_no_list_is_refused() {
    let directory = temporary_directory("breach-refused");
    let path = directory.join("breached");
    let refused = || BreachList::open(&path).expect_err("refused").to_string();
    assert!(refused().contains("cannot be read"), "{}", refused());
    for text in ["", "hunter2", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1"] {
        fs::write(&path, text).expect("written");
        assert!(refused().ends_with("is not a list of breached passwords"), "{}", refused());
    }
    let write = |count: u64, entries: &[u64]| {
        let entries = entries.iter().flat_map(|entry| entry.to_be_bytes());
        let bytes: Vec<u8> = format::MAGIC.into_iter().chain(count.to_be_bytes()).chain(entries).collect();
        fs::write(&path, bytes).expect("written");
    };
    for count in [1, 3, u64::MAX] {
        write(count, &[1, 2]);
        assert!(refused().contains("is cut off or damaged"), "{}", refused());
    }
    write(3, &[1, 3, 2]);
    assert!(refused().ends_with("its entries are not in order"), "{}", refused());
    write(0, &[]);
    assert!(!BreachList::open(&path).expect("an empty list").contains(&secret("hunter2")).expect("read"));
}

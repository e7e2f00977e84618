use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::testing::temporary_directory;

/// What a name leads to: the content of a file, `dir`, or the error.
fn read(found: Result<OwnedFd, Error>) -> String {
    let opened = match found {
        Ok(opened) => File::from(opened),
        Err(error) => return error.to_string(),
    };
    let metadata = opened.metadata().unwrap();
    match metadata.file_type() {
        kind if kind.is_dir() => "dir".to_owned(),
        kind if kind.is_file() => io::read_to_string(opened).unwrap(),
        _ => "special".to_owned(),
    }
}

/// Both ways agree, and lead there.
#[track_caller]
fn check(tree: &Tree, name: &str, expected: &str) {
    let by_kernel = read(beneath(tree.0.as_fd(), name, FOR_READING).map_err(Error::of));
    let by_steps = read(walk(tree.0.as_fd(), name, FOR_READING).map_err(Error::of));
    assert_eq!((by_kernel.as_str(), by_steps.as_str()), (expected, expected), "{name:?}");
}

const NOTHING: &str = "there is no such file";
const OUT: &str = "a symbolic link leads out of the directory";
const CIRCLE: &str = "its symbolic links lead in a circle";

#[test]
fn p_23_links_are_followed_below_the_directory_and_nowhere_else() {
    let base = temporary_directory("tree");
    let site = base.join("site");
    std::fs::create_dir_all(site.join("a/b")).unwrap();
    std::fs::create_dir_all(base.join("site-2")).unwrap();
    std::fs::write(base.join("secret"), "secret").unwrap();
    std::fs::write(base.join("site-2/secret"), "secret").unwrap();
    std::fs::write(site.join("top"), "top").unwrap();
    std::fs::write(site.join("a/b/deep"), "deep").unwrap();
    // A volume of Kubernetes.
    std::fs::create_dir_all(site.join("..2026_11_29")).unwrap();
    std::fs::write(site.join("..2026_11_29/index.html"), "page").unwrap();
    let links = [
        ("..2026_11_29", "..data"),
        ("..data/index.html", "index.html"),
        ("../top", "a/up"),
        ("b/../../a/./b//deep", "a/around"),
        ("a", "dir-link"),
        ("../secret", "out"),
        ("../site-2/secret", "sibling"),
        ("../site/top", "back"),
        ("..", "parent"),
        (".", "here"),
        ("a/b/..", "a-again"),
        ("../../../../../../../../etc/passwd", "passwd"),
        ("/etc/passwd", "absolute"),
        ("nowhere", "broken"),
        ("circle-2", "circle-1"),
        ("circle-1", "circle-2"),
        ("/proc/self/root/etc/passwd", "magic"),
    ];
    for (target, link) in links {
        symlink(target, site.join(link)).unwrap();
    }
    symlink(site.join("top"), site.join("absolute-back")).unwrap();
    let tree = Tree::open(&site).unwrap();
    for (name, expected) in [
        ("top", "top"),
        ("a/b/deep", "deep"),
        ("a", "dir"),
        ("index.html", "page"),
        ("..data/index.html", "page"),
        ("a/up", "top"),
        ("a/around", "deep"),
        ("dir-link/b/deep", "deep"),
        ("here", "dir"),
        ("here/top", "top"),
        ("a-again", "dir"),
        ("a-again/b/deep", "deep"),
        ("none", NOTHING),
        ("a/none", NOTHING),
        ("top/x", NOTHING),
        ("broken", NOTHING),
        ("out", OUT),
        ("sibling", OUT),
        ("back", OUT),
        ("parent", OUT),
        ("parent/secret", OUT),
        ("passwd", OUT),
        ("absolute", OUT),
        ("absolute-back", OUT),
        ("magic", OUT),
        ("circle-1", CIRCLE),
        ("circle-1/x", CIRCLE),
        // No request has such names. The directory keeps them in, too.
        ("..", OUT),
        ("../secret", OUT),
        ("a/../../secret", OUT),
        ("/etc/passwd", OUT),
    ] {
        if name.starts_with('/') {
            assert_eq!(read(beneath(tree.0.as_fd(), name, FOR_READING).map_err(Error::of)), expected);
            continue;
        }
        check(&tree, name, expected);
    }
    check(&tree, &"x".repeat(300), NOTHING);
    check(&tree, &"x/".repeat(5000), NOTHING);
}

#[test]
fn p_24_a_pipe_does_not_hold_up_and_only_files_are_served() {
    let base = temporary_directory("special");
    assert!(std::process::Command::new("mkfifo").arg(base.join("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(base.join("socket")).unwrap();
    let tree = Tree::open(&base).unwrap();
    for name in ["pipe", "socket"] {
        match tree.entry(name) {
            Err(Error::NotServed(why)) => assert_eq!(why, "it is a pipe, a socket or a device", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let devices = Tree::open(Path::new("/dev")).unwrap();
    for name in ["zero", "null"] {
        assert!(matches!(devices.entry(name), Err(Error::NotServed(_))), "{name}");
    }
}

#[test]
fn a_directory_that_may_not_be_listed_is_one() {
    use std::os::unix::fs::PermissionsExt as _;

    let base = temporary_directory("through");
    std::fs::create_dir(base.join("d")).unwrap();
    std::fs::write(base.join("d/page"), "page").unwrap();
    std::fs::set_permissions(base.join("d"), std::fs::Permissions::from_mode(0o111)).unwrap();
    let tree = Tree::open(&base).unwrap();
    assert!(matches!(tree.entry("d"), Ok(Entry::Directory)), "{:?}", tree.entry("d"));
    assert!(matches!(tree.entry("d/page"), Ok(Entry::File(_))));
    // The way of a user who is not root.
    assert!(File::from(beneath(tree.0.as_fd(), "d", TO_PASS).unwrap()).metadata().unwrap().is_dir());
    assert!(File::from(walk(tree.0.as_fd(), "d", TO_PASS).unwrap()).metadata().unwrap().is_dir());
    assert!(beneath(tree.0.as_fd(), "d/page", TO_PASS).is_err() && walk(tree.0.as_fd(), "d/page", TO_PASS).is_err());
    std::fs::set_permissions(base.join("d"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_directory_that_took_the_place_of_another_is_seen_with_the_next_request() {
    let base = temporary_directory("swap");
    for release in ["1", "2"] {
        std::fs::create_dir(base.join(release)).unwrap();
        std::fs::write(base.join(release).join("page"), release).unwrap();
    }
    let current = base.join("current");
    symlink("1", &current).unwrap();
    let before = Tree::open(&current).unwrap();
    symlink("2", base.join("next")).unwrap();
    std::fs::rename(base.join("next"), &current).unwrap();
    check(&Tree::open(&current).unwrap(), "page", "2");
    check(&before, "page", "1");
    std::fs::remove_file(&current).unwrap();
    assert_eq!(Tree::open(&current).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(Tree::open(&base.join("1/page")).is_err(), "a file is no directory");
}

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;

/// A directory of this test that only its user can enter.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vestibule-handover-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn listening() -> Passed {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Passed { key: socket.local_addr().unwrap().to_string(), socket: socket.into() }
}

/// Both ends, connected.
fn pair(name: &str) -> (Offer, Successor, Claim) {
    let place = Place::open(&directory(name).join("socket")).unwrap();
    let offer = Offer::new(&place).unwrap();
    let claim = Claim::new(&place).unwrap().unwrap();
    let successor = offer.next().unwrap();
    (offer, successor, claim)
}

#[test]
fn many_sockets_change_hands_each_with_its_key() {
    let (_offer, successor, claim) = pair("many");
    assert_eq!((successor.process, claim.process), (std::process::id(), std::process::id()));
    let taking = std::thread::spawn(move || {
        let taken = claim.take().unwrap();
        claim.ready().unwrap();
        taken
    });
    successor.hand_over(|| Ok((0..150).map(|_| listening()).collect())).unwrap();
    successor.step_down();
    let taken = taking.join().unwrap();
    assert_eq!(taken.len(), 150);
    for Passed { key, socket } in taken {
        let socket = std::net::TcpListener::from(socket);
        assert_eq!(socket.local_addr().unwrap().to_string(), key);
        std::net::TcpStream::connect(key).unwrap();
        socket.accept().unwrap();
    }
}

#[test]
fn what_is_refused_is_told_and_a_process_that_goes_away_takes_nothing() {
    let (_offer, successor, claim) = pair("refused");
    let taking = std::thread::spawn(move || claim.take());
    let refused = successor.hand_over(|| Err("the process is stopping".to_owned()));
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let heard = taking.join().unwrap().unwrap_err();
    assert_eq!(heard.to_string(), "the other process refuses: the process is stopping");

    let (_offer, successor, claim) = pair("gone");
    let taking = std::thread::spawn(move || drop(claim.take().unwrap()));
    assert!(matches!(successor.hand_over(|| Ok(vec![listening()])), Err(Error::Lost(_))));
    taking.join().unwrap();
}

#[test]
fn who_says_ready_and_finds_the_other_gone_serves_and_one_that_is_refused_does_not() {
    let (_offer, successor, claim) = pair("ended");
    drop(successor);
    claim.ready().unwrap();

    let (_offer, successor, claim) = pair("late");
    successor.refuse(Error::Unexpected).unwrap_err();
    assert!(matches!(claim.ready(), Err(Error::Refused(_))));
}

#[test]
fn another_version_and_what_is_no_message_are_refused() {
    let lend = || -> Result<Vec<Passed>, String> { panic!("nothing is lent") };
    let (_offer, successor, claim) = pair("version");
    send(&claim.stream, &Message::TakeOver { version: 2 }, &[], MESSAGE_MAX).unwrap();
    assert!(matches!(successor.hand_over(lend), Err(Error::Version(2))));
    let (Message::Refused { why }, _) = receive(&claim.stream, MESSAGE_MAX).unwrap() else { panic!("refused") };
    assert_eq!(why, "the other process speaks version 2 of the protocol, this one version 1");

    let (_offer, successor, claim) = pair("early");
    send(&claim.stream, &Message::Ready, &[], MESSAGE_MAX).unwrap();
    assert!(matches!(successor.hand_over(lend), Err(Error::Unexpected)));

    for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"{}", &[b'x'; 70_000]] {
        let (_offer, successor, claim) = pair("noise");
        rustix::net::send(&claim.stream, text, rustix::net::SendFlags::empty()).unwrap();
        let refused = successor.hand_over(lend);
        assert!(matches!(refused, Err(Error::Unexpected | Error::TooMany)), "{refused:?}");
    }
}

#[test]
fn a_silent_process_is_not_waited_for() {
    let (_offer, successor, _claim) = pair("silent");
    let silent = receive(&successor.stream, Duration::from_millis(1));
    assert!(matches!(silent, Err(Error::Lost(error)) if error.kind() == io::ErrorKind::WouldBlock));
}

#[test]
fn a_directory_that_others_can_enter_or_that_is_a_link_is_refused() {
    let open = directory("open");
    for mode in [0o755, 0o710, 0o701, 0o777] {
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Place::open(&open.join("socket")), Err(Error::NotPrivate { .. })), "{mode:o}");
    }
    let link = std::env::temp_dir().join(format!("vestibule-handover-{}-link", std::process::id()));
    let _ = std::fs::remove_file(&link);
    symlink(directory("behind"), &link).unwrap();
    assert!(matches!(Place::open(&link.join("socket")), Err(Error::Directory { .. })));
    assert!(matches!(Place::open("/".as_ref()), Err(Error::NoName { .. })));
    // One that is not there is made.
    let made = directory("parent").join("made");
    Place::open(&made.join("socket")).unwrap();
    assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_file_is_that_of_the_last_process_and_goes_with_it() {
    let directory = directory("files");
    let place = Place::open(&directory.join("socket")).unwrap();
    assert!(Claim::new(&place).unwrap().is_none(), "nobody is there");
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let first = Offer::new(&place).unwrap();
    let second = Offer::new(&place).unwrap();
    drop(first);
    assert!(Claim::new(&place).unwrap().is_some(), "the file of the second stays");
    drop(second);
    assert_eq!(files(), 0);
    // The file of a process that was killed.
    std::mem::forget(Offer::new(&place).unwrap().standing);
    assert_eq!(files(), 1);
    assert!(Claim::new(&place).unwrap().is_none());
    let _again = Offer::new(&place).unwrap();
    assert!(Claim::new(&place).unwrap().is_some());
    // A link in its place is replaced, not followed.
    std::fs::remove_file(directory.join("socket")).unwrap();
    symlink("elsewhere", directory.join("socket")).unwrap();
    let _third = Offer::new(&place).unwrap();
    assert!(!directory.join("elsewhere").exists() && Claim::new(&place).unwrap().is_some());
}

#[test]
fn an_offer_that_ends_never_takes_away_the_place_of_the_next() {
    let place = Place::open(&directory("next").join("socket")).unwrap();
    let mut offer = Offer::new(&place).unwrap();
    for _ in 0..1_000 {
        let socket = stream().unwrap();
        let standing = place.stand(&socket).unwrap();
        listen(&socket, BACKLOG).unwrap();
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                offer.withdraw();
            });
            start.wait();
            standing.publish().unwrap();
        });
        assert!(Claim::new(&place).unwrap().is_some());
        offer = Offer { socket, standing };
    }
}

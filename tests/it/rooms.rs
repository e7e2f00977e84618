//! Where the rooms are. In crates: decisions 105 and 107.

use std::fs;
use std::path::{Path, PathBuf};

/// Each directory with rooms, and the room that the whole directory is.
const PLACES: [(&str, Option<&str>); 4] = [
    ("crates/app/src", None),
    ("crates/base/src", None),
    ("crates/proxy/src", None),
    ("crates/user-pool/src", Some("user_pool")),
];

/// A file of code, or a file beside one.
pub struct RoomFile {
    pub file: PathBuf,
    /// Its path with the room first, whatever crate the room is in: `user_pool/oauth/token.rs`. The file of a crate itself is `mod.rs` of
    /// the room that the crate is, or belongs to no room: `lib.rs`.
    pub place: PathBuf,
}

/// Every file in the directories of the rooms.
pub fn files() -> Vec<RoomFile> {
    let mut found = Vec::new();
    for (directory, room) in PLACES {
        let above = root().join(directory);
        let mut files = Vec::new();
        collect(&above, &mut files);
        assert!(files.len() > 50, "found only {} files below {directory}", files.len());
        for file in files {
            let below = file.strip_prefix(&above).expect("below it");
            let place = match room {
                Some(room) if below == Path::new("lib.rs") => Path::new(room).join("mod.rs"),
                Some(room) => Path::new(room).join(below),
                None => below.to_owned(),
            };
            found.push(RoomFile { file, place });
        }
    }
    found
}

/// The directories themselves, for what reads every text in them.
pub fn directories() -> impl Iterator<Item = &'static str> {
    PLACES.iter().map(|(directory, _)| *directory)
}

/// The room that the crate of this file is, so that `crate::` there means it. `None` in the crates whose parts are rooms.
pub fn room_of_crate(file: &Path) -> Option<&'static str> {
    PLACES.iter().find_map(|(directory, room)| room.filter(|_| file.starts_with(root().join(directory))))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of code can be listed") {
        let path = entry.expect("a directory of code can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

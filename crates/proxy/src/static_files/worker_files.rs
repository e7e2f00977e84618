//! What one worker has for all `static` actions, of every configuration.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::static_files::disk::{Disk, WeakDisk};
use crate::static_files::places::Places;

/// It lives as long as the worker. So a reload makes no second set of threads for a directory whose disk hangs.
#[derive(Debug)]
pub struct WorkerFiles {
    /// By directory. An entry is kept by the configurations that have it, and by reads that have not ended.
    disks: RefCell<HashMap<PathBuf, WeakDisk>>,
    pub places: Places,
}

impl WorkerFiles {
    /// For one of so many workers.
    pub fn new(workers: usize) -> Self {
        Self { disks: RefCell::default(), places: Places::new(workers) }
    }

    /// The threads that read the files of a directory. Every configuration that has it gets the same ones.
    pub fn disk(&self, directory: &Path) -> Disk {
        let mut disks = self.disks.borrow_mut();
        disks.retain(|_, disk| disk.is_alive());
        if let Some(disk) = disks.get(directory).and_then(WeakDisk::upgrade) {
            return disk;
        }
        let disk = Disk::new();
        disks.insert(directory.to_owned(), disk.downgrade());
        disk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_no_configuration_has_are_forgotten() {
        let files = WorkerFiles::new(1);
        for number in 0..100 {
            drop(files.disk(Path::new(&format!("/srv/{number}"))));
        }
        let _kept = files.disk(Path::new("/srv"));
        assert_eq!(files.disks.borrow().len(), 1);
    }
}

//! The program: sets the allocator and hands over to the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: vestibule_allocator::Mimalloc = vestibule_allocator::Mimalloc;

fn main() -> ExitCode {
    vestibule::cli::run()
}

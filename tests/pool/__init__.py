"""What `tests/crash` and `tests/upkeep` share: browsers without scripts, and a process with a user pool in a folder of its own."""

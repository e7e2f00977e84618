#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vestibule::fuzz_door::password_hash(input));

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ripcord_server::bench::untrusted::flags_file(bytes));

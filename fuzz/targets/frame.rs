#![no_main]

hush_fuzz_targets::fuzz!("frame");

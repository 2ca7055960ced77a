#![no_main]

hush_fuzz_targets::fuzz!("job");

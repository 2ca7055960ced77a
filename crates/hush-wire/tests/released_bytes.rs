//! Files of released versions stay readable for ever: `testdata/v1/` holds one of every kind.
//!
//! `HUSH_WRITE_TESTDATA=1` adds files that are missing; it never changes one that is there.

mod samples;

use std::path::Path;

#[test]
fn version_1_files_are_read_and_still_written_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1");
    for sample in samples::all() {
        let path = folder.join(sample.name);
        if !path.exists() && std::env::var_os("HUSH_WRITE_TESTDATA").is_some() {
            std::fs::write(&path, &sample.bytes).expect("testdata is writable");
        }
        let stored = std::fs::read(&path).expect("testdata is complete");
        (sample.read)(&stored).expect("released bytes are readable");
        assert_eq!(stored, sample.bytes, "{} is written as before", sample.name);
    }
}

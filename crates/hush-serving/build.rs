//! Rust from the protocol's definitions, without `protoc`.

use std::path::PathBuf;

const DEFINITIONS: [&str; 3] = ["inference.proto", "model_repository.proto", "keys.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(DEFINITIONS)?;
    // For reflection.
    std::fs::write(
        out.join("definitions.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        // Tensors stay where they were received.
        .bytes(".")
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

//! Rust from the protocol's definitions, without `protoc`.

const DEFINITIONS: &str = "../hush-serving/proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={DEFINITIONS}");
    let mut compiler = protox::Compiler::new([DEFINITIONS])?;
    compiler.open_files(["inference.proto", "keys.proto"])?;
    tonic_prost_build::configure()
        // Ciphertexts stay where they were received.
        .bytes(".")
        .build_server(false)
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

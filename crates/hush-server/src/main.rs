//! Serves encrypted models: see the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hush_server::main()
}

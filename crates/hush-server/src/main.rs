//! Serves encrypted models: see the library.

fn main() -> std::process::ExitCode {
    hush_server::main()
}

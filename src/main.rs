//! The `leapfrog` program.

fn main() -> std::process::ExitCode {
    leapfrog::cli::main()
}

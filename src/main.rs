use std::process::ExitCode;

fn main() -> ExitCode {
    cf_billing::cli::main()
}

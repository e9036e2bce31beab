//! The program `a4co`: parse, resolve, run.

use a4co_host::cli::{self, Args, BridgeCommand, Options, RestoreOptions, UpOptions};
use a4co_host::{building, logging, manifest, migrate, store, up};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// An order is thousands of small allocations, many freed by another thread: with glibc's allocator it costs an eighth
/// more CPU (`bench orders`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Options::resolve(Args::parse()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    match options {
        Options::Up(options) => start(options),
        Options::Bridge(command) => bridge(&command),
        Options::Check { manifest, given } => cli::check(&manifest, &given, &mut std::io::stdout()),
        Options::Client(options) => tokio::runtime::Runtime::new()?.block_on(cli::run(options)),
        Options::Streams(options) => {
            tokio::runtime::Runtime::new()?.block_on(cli::streams::run(options, &mut std::io::stdout()))
        }
        Options::Keys(request) => cli::keys(&request, &mut std::io::stdout()),
        Options::Migrate(options) => {
            logging::start(logging::LogFormat::default(), true)?;
            tokio::runtime::Runtime::new()?.block_on(migrate::run(options, &mut std::io::stdout()))
        }
        Options::Restore(options) => restore(&options),
        Options::Completions(shell) => Ok(std::io::stdout().write_all(&cli::completions(shell))?),
    }
}

fn restore(RestoreOptions { file, state_dir }: &RestoreOptions) -> anyhow::Result<()> {
    store::restore(file, state_dir)?;
    writeln!(std::io::stdout(), "restored {}: start with a4co up --state-dir {0}", state_dir.display())?;
    Ok(())
}

fn start(options: UpOptions) -> anyhow::Result<()> {
    logging::start(options.log_format, options.quiet)?;
    let application = manifest::load(&options.manifest, &options.given)?;
    if options.build {
        building::build(&application, &mut std::io::stderr())?;
    }
    building::check_built(&application)?;
    tokio::runtime::Runtime::new()?.block_on(up::run(application, options))
}

fn bridge(command: &BridgeCommand) -> anyhow::Result<()> {
    logging::start(command.log_format, command.bridge.quiet)?;
    let application = manifest::load(&command.manifest, &command.given)?;
    tokio::runtime::Runtime::new()?.block_on(up::bridge(application, command))
}

//! Structured logs on standard error: text for people, JSON for programs.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, format::Writer};

/// What is logged where neither `A4CO_LOG` nor `RUST_LOG` says.
const DEFAULT_FILTER: &str = "info,async_nats=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// RFC 3339 with milliseconds, as on the wire.
struct Wall;

impl FormatTime for Wall {
    #[expect(clippy::disallowed_methods, reason = "a log line tells when it was written; nothing decides by it")]
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = crate::clock::Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        w.write_str(&now.rfc3339())
    }
}

/// Starts logging for the process. The filter comes from `A4CO_LOG`, else `RUST_LOG`, else `info`; with `quiet` nothing
/// below a warning is logged.
///
/// # Errors
/// Where the filter cannot be read.
pub fn start(format: LogFormat, quiet: bool) -> anyhow::Result<()> {
    let colours = std::io::stderr().is_terminal();
    let lines = fmt::fmt().with_writer(std::io::stderr).with_ansi(colours);
    let lines = lines.with_timer(Wall).with_env_filter(filter(quiet)?);
    // A second start in one process keeps the first: tests run several hosts in one.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

fn filter(quiet: bool) -> anyhow::Result<EnvFilter> {
    let default = if quiet { "warn" } else { DEFAULT_FILTER };
    for name in ["A4CO_LOG", "RUST_LOG"] {
        if let Ok(text) = std::env::var(name) {
            let unreadable =
                |error| anyhow::anyhow!("{name}={text} is not a log filter ({error}): write {name}=debug or so");
            return EnvFilter::try_new(&text).map_err(unreadable);
        }
    }
    Ok(EnvFilter::new(default))
}

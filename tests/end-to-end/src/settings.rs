//! How a host is started.

use crate::Setup;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which processes, over which state.
    pub setup: Setup,
    /// NATS servers that somebody else runs, with commas between them; where it is none, the host has one of its own.
    pub nats: Option<String>,
    /// Where the application is served; a free address where there is none.
    pub listen: Option<SocketAddr>,
    /// Where a bridge finds the application, where that is not where it is served.
    pub target: Option<SocketAddr>,
    /// The manifest; the marketplace's where there is none.
    pub manifest: Option<PathBuf>,
    /// `--variable name=value`.
    pub variables: Vec<(String, String)>,
    /// Environment of every process.
    pub environment: Vec<(String, String)>,
    /// Further arguments of `a4co up`.
    pub arguments: Vec<String>,
    /// `--log-format json`, of every process.
    pub json_logs: bool,
}

impl Settings {
    /// The marketplace in [`Setup::Embedded`].
    #[must_use]
    pub fn embedded() -> Self {
        Self::default()
    }

    /// The marketplace in [`Setup::Nats`].
    #[must_use]
    pub fn nats() -> Self {
        Self { setup: Setup::Nats, ..Self::default() }
    }

    /// The marketplace in [`Setup::Bridged`].
    #[must_use]
    pub fn bridged() -> Self {
        Self { setup: Setup::Bridged, ..Self::default() }
    }

    /// The same with a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another manifest.
    #[must_use]
    pub fn of(self, manifest: PathBuf) -> Self {
        Self { manifest: Some(manifest), ..self }
    }

    /// Sets a variable of the environment; `None` takes it away.
    pub fn set_environment(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(there, _)| there != name);
        self.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// The manifest that is run.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.manifest.clone().unwrap_or_else(artifacts::marketplace)
    }
}

//! How a NATS server is reached.

use super::Preset;
use std::path::PathBuf;

/// How a NATS server is reached.
#[derive(Debug, Clone, Default)]
pub struct NatsSettings {
    /// `nats://host:4222`; several are one cluster.
    pub servers: Vec<String>,
    /// Who we are to it.
    pub authentication: Authentication,
    /// Certificates.
    pub tls: Tls,
    /// How durably streams and buckets keep things.
    pub preset: Preset,
}

/// Who we are to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody in particular, or who the URL says.
    #[default]
    None,
    /// A `.creds` file: a JWT and its key.
    Credentials(PathBuf),
    /// A file that holds an nkey's seed.
    Nkey(PathBuf),
    /// A file that holds a token.
    TokenFile(PathBuf),
}

/// Certificates; TLS is used where the server asks for it, or where one of these is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities the server's certificate is checked against, beside the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

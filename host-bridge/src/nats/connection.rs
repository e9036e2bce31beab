//! One connection to a NATS cluster, checked once and kept up from then on.

use super::{Authentication, NatsSettings, Preset};
use anyhow::Context as _;
use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, ServerInfo};
use std::path::Path;
use std::time::Duration;

/// Oldest server that keeps what we need: before it, several filters on one consumer are ignored in silence.
const OLDEST_SERVER: (u64, u64) = (2, 10);
/// How long the first connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long the server may take over one request. A leader's election takes about as long.
const REQUEST: Duration = Duration::from_secs(3);
/// A server that answers no ping for twice this is gone, whatever TCP says.
const PING: Duration = Duration::from_secs(2);
/// Publishings that the server owes an answer, at most: past it publishers wait.
const IN_FLIGHT: usize = 1_000;

/// A connection that is up, or comes up again by itself.
#[derive(Debug, Clone)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    preset: Preset,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of the settings cannot be used.
    #[error("{0:#}")]
    Settings(anyhow::Error),
    /// Nobody answers, or whoever does refuses us.
    #[error("no connection to NATS at {servers}: {error}")]
    Connect {
        /// As configured.
        servers: String,
        /// What the client said.
        error: String,
    },
    /// The server is too old, or has no JetStream.
    #[error("the NATS server {name} at {servers} {what}")]
    Unfit {
        /// What the server calls itself.
        name: String,
        /// As configured.
        servers: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
}

impl Nats {
    /// Connects and checks that the server has what is needed.
    ///
    /// # Errors
    /// Names the server, what is wrong, and what to do.
    pub async fn connect(settings: &NatsSettings) -> Result<Self, ConnectError> {
        let servers = settings.servers.join(",");
        let options = options(settings).await.map_err(ConnectError::Settings)?;
        let client = options
            .connect(&settings.servers)
            .await
            .map_err(|error| ConnectError::Connect { servers: servers.clone(), error: error.to_string() })?;
        let info = client.server_info();
        if let Some(what) = unfit(&info) {
            return Err(ConnectError::Unfit { name: info.server_name, servers, what });
        }
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST)
            .max_ack_inflight(IN_FLIGHT)
            .build(client.clone());
        Ok(Self { client, jetstream, preset: settings.preset })
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// JetStream.
    #[must_use]
    pub fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// How durably things are kept.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Whether the connection is up now, as far as is known: where it is not, a request would only wait.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

async fn options(settings: &NatsSettings) -> anyhow::Result<ConnectOptions> {
    let mut options = match &settings.authentication {
        Authentication::None => match user(&settings.servers) {
            Some((user, password)) => ConnectOptions::with_user_and_password(user, password),
            None => ConnectOptions::new(),
        },
        Authentication::Credentials(file) => ConnectOptions::with_credentials(&read(file).await?)
            .with_context(|| format!("{} is no credentials file", file.display()))?,
        Authentication::Nkey(file) => ConnectOptions::with_nkey(read(file).await?.trim().to_owned()),
        Authentication::TokenFile(file) => ConnectOptions::with_token(read(file).await?.trim().to_owned()),
    };
    if let Some(authorities) = &settings.tls.authorities {
        options = options.add_root_certificates(authorities.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &settings.tls.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
    }
    Ok(options
        .name("a4co")
        .connection_timeout(CONNECTING)
        .request_timeout(Some(REQUEST))
        .ping_interval(PING)
        .reconnect_delay_callback(reconnect_delay))
}

/// Who the servers' URLs say we are: the client reads nothing but the address of them.
fn user(servers: &[String]) -> Option<(String, String)> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    servers.iter().find_map(|server| {
        let url = url::Url::parse(server).ok().filter(|url| !url.username().is_empty())?;
        Some((decoded(url.username()), decoded(url.password().unwrap_or_default())))
    })
}

/// Short at first: a server that restarts is back within a second.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).min(5)).unwrap_or_default();
    Duration::from_millis(50).saturating_mul(1 << doublings).min(Duration::from_secs(1))
}

async fn read(file: &Path) -> anyhow::Result<String> {
    tokio::fs::read_to_string(file).await.with_context(|| format!("reading {}", file.display()))
}

fn unfit(info: &ServerInfo) -> Option<String> {
    let mut numbers = info.version.split('.').map(|part| part.parse::<u64>().unwrap_or_default());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if version < OLDEST_SERVER {
        let (major, minor) = OLDEST_SERVER;
        return Some(format!("is version {}: {major}.{minor} or newer is needed", info.version));
    }
    (!info.jetstream)
        .then(|| "has no JetStream: start it with `-js`, or add `jetstream {}` to its configuration".into())
}

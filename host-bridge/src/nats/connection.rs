//! One connection to a NATS cluster, checked once and kept up from then on.

use super::link::{self, Link};
use super::patience::Patience;
use super::{Authentication, NatsSettings, Preset};
use anyhow::Context as _;
use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerInfo};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Oldest server that keeps what we need: before it, several filters on one consumer are ignored in silence.
const OLDEST_SERVER: (u64, u64) = (2, 10);
/// How long the first connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a cluster that has no leader yet is waited for: one election takes 4 to 9 s (nats-server, `raft.go`), a vote
/// may be split, and whoever starts everything at once starts the servers too.
const ELECTING: Duration = Duration::from_secs(30);
/// How long the server may take over one request at most. A leader's election takes about as long.
pub(super) const REQUEST: Duration = Duration::from_secs(3);
/// A server that answers no ping for twice this is gone, whatever TCP says.
const PING: Duration = Duration::from_secs(2);
/// Publishings that the server owes an answer, at most: past it publishers wait.
const IN_FLIGHT: usize = 1_000;

/// A connection that is up, or comes up again by itself. Clones are the same connection.
#[derive(Debug, Clone)]
pub struct Nats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    jetstream: Context,
    preset: Preset,
    servers: String,
    link: Arc<Link>,
    patience: Mutex<Patience>,
    _watch: AbortOnDropHandle<()>,
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
        /// What is wrong, and what to do.
        error: String,
    },
    /// The server is too old, or has no JetStream for this user.
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
        let servers = shown(&settings.servers);
        let link = Arc::<Link>::default();
        let options = options(settings, &link).await.map_err(ConnectError::Settings)?;
        let client = options.connect(&settings.servers).await.map_err(|error| {
            let error = explain(&error, &settings.authentication);
            ConnectError::Connect { servers: servers.clone(), error }
        })?;
        let info = client.server_info();
        let what = match unfit(&info) {
            None => without_jetstream(&client, &info, &link).await,
            unfit => unfit,
        };
        if let Some(what) = what {
            return Err(ConnectError::Unfit { name: info.server_name, servers, what });
        }
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST)
            .max_ack_inflight(IN_FLIGHT)
            .build(client.clone());
        let watch = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&link).watch(client.clone())));
        let preset = settings.preset;
        let patience = Mutex::default();
        Ok(Self(Arc::new(Inner { client, jetstream, preset, servers, link, patience, _watch: watch })))
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// JetStream.
    #[must_use]
    pub fn jetstream(&self) -> &Context {
        &self.0.jetstream
    }

    /// How durably things are kept.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.0.preset
    }

    /// The servers, as configured, without user and password.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.0.servers
    }

    /// Whether the server is part of a cluster, which can keep replicas.
    #[must_use]
    pub fn is_clustered(&self) -> bool {
        is_of_cluster(&self.client().server_info())
    }

    /// Whether the server is at least of this version.
    #[must_use]
    pub fn is_at_least(&self, version: (u64, u64)) -> bool {
        numbers(&self.client().server_info().version) >= version
    }

    /// Whether the connection is up now, as far as is known: where it is not, a request would only wait.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.client().connection_state() == State::Connected && self.link().silent().is_none()
    }

    /// Why nothing can be asked now; `None` where the connection is up.
    #[must_use]
    pub fn why_down(&self) -> Option<String> {
        if self.client().connection_state() != State::Connected {
            return Some(format!("there is no connection to NATS at {}", self.0.servers));
        }
        self.link().silent().map(|why| format!("JetStream at {} does not answer ({why})", self.0.servers))
    }

    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn patience(&self) -> &Mutex<Patience> {
        &self.0.patience
    }
}

/// The servers for messages and logs: without user and password.
fn shown(servers: &[String]) -> String {
    let bare = servers.iter().map(|server| match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => server.clone(),
    });
    bare.collect::<Vec<_>>().join(",")
}

async fn options(settings: &NatsSettings, link: &Arc<Link>) -> anyhow::Result<ConnectOptions> {
    let mut options = match &settings.authentication {
        Authentication::None => of_url(&settings.servers),
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
    let link = Arc::clone(link);
    Ok(options
        .name("a4co")
        .connection_timeout(CONNECTING)
        .request_timeout(Some(REQUEST))
        .ping_interval(PING)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            link.happened(&event);
            std::future::ready(())
        }))
}

/// As whom the URLs say: `user:password@`, or a token alone. The client does not look there itself.
fn of_url(servers: &[String]) -> ConnectOptions {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let urls = servers.iter().filter_map(|server| Url::parse(server).ok());
    match urls.into_iter().find(|url| !url.username().is_empty()) {
        Some(url) => match url.password() {
            Some(password) => ConnectOptions::with_user_and_password(decoded(url.username()), decoded(password)),
            None => ConnectOptions::with_token(decoded(url.username())),
        },
        None => ConnectOptions::new(),
    }
}

/// Short at first: a server that restarts is back within a second.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).min(5)).unwrap_or_default();
    Duration::from_millis(50).saturating_mul(1 << doublings).min(Duration::from_secs(1))
}

async fn read(file: &Path) -> anyhow::Result<String> {
    tokio::fs::read_to_string(file).await.with_context(|| format!("reading {}", file.display()))
}

/// What the client's error means, and what to do.
fn explain(error: &async_nats::ConnectError, authentication: &Authentication) -> String {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => match authentication {
            Authentication::None => "the server wants to know who we are: give it --nats-creds, --nats-nkey or \
                                     --nats-token-file, or user and password in the URL"
                .to_owned(),
            Authentication::Credentials(file) | Authentication::Nkey(file) | Authentication::TokenFile(file) => {
                format!("the server does not accept what is in {} ({error}): check it", file.display())
            }
        },
        ConnectErrorKind::TimedOut => {
            format!("no answer within {} s: is it a NATS server, and the port open?", CONNECTING.as_secs())
        }
        ConnectErrorKind::Tls => format!("{error}: check --nats-ca, --nats-cert and --nats-key"),
        ConnectErrorKind::ServerParse => format!("{error}: expected nats://HOST:PORT"),
        ConnectErrorKind::Dns => format!("{error}: check the host's name"),
        ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            format!("{error}: is a server running there? start one with `nats-server -js`")
        }
    }
}

fn unfit(info: &ServerInfo) -> Option<String> {
    if numbers(&info.version) < OLDEST_SERVER {
        let (major, minor) = OLDEST_SERVER;
        return Some(format!("is version {}: {major}.{minor} or newer is needed", info.version));
    }
    (!info.jetstream)
        .then(|| "has no JetStream: start it with `-js`, or add `jetstream {}` to its configuration".into())
}

fn is_of_cluster(info: &ServerInfo) -> bool {
    info.cluster.as_ref().is_some_and(|name| !name.is_empty())
}

fn numbers(version: &str) -> (u64, u64) {
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// Why this user cannot use JetStream; `None` where it can. A cluster that is just starting is waited for.
async fn without_jetstream(client: &Client, info: &ServerInfo, link: &Link) -> Option<String> {
    let begun = tokio::time::Instant::now();
    let patience = if is_of_cluster(info) { ELECTING } else { CONNECTING };
    let mut told = false;
    loop {
        let unanswered = link::probe(client).await.err()?;
        let forbidden = link.follow().borrow().forbidden.clone();
        if let Some(forbidden) = forbidden {
            return Some(format!(
                "forbids what JetStream needs ({forbidden}): grant this user to publish `$JS.API.>`, `$KV.>` and the \
                 streams' subjects, and to subscribe to `_INBOX.>`"
            ));
        }
        if !unanswered.may_come || begun.elapsed() >= patience {
            return Some(format!(
                "does not answer `{}` ({}): enable JetStream for this user's account (`jetstream: enabled`), and in a \
                 cluster see that a majority of its servers runs",
                link::ACCOUNT_INFO,
                unanswered.reason
            ));
        }
        if !std::mem::replace(&mut told, true) {
            let (name, patience) = (&info.server_name, patience.as_secs());
            tracing::warn!("JetStream on {name} does not answer yet: waiting up to {patience} s for it");
        }
        // The refusal of a cluster comes at once.
        tokio::time::sleep(link::PROBE_EVERY).await;
    }
}

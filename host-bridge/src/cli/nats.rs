//! The flags that lead to a NATS server, and what they resolve to.

use crate::nats::{Authentication, NatsSettings, Preset, Tls};
use anyhow::{Context as _, bail};
use clap::ValueEnum;
use std::path::PathBuf;
use url::Url;

/// Longest prefix of names: names of streams and subjects have limits of their own.
const MAX_PREFIX: usize = 32;

#[derive(Debug, Default, clap::Args)]
pub(super) struct NatsArgs {
    /// Keep events and state in NATS JetStream instead of the state directory: nats://HOST:4222[,…]
    #[arg(long, value_name = "URLS")]
    pub(super) nats: Option<String>,
    /// A .creds file (JWT and key) to log in with
    #[arg(long, value_name = "FILE", requires = "nats", group = "login")]
    pub(super) nats_creds: Option<PathBuf>,
    /// A file with an nkey's seed to log in with
    #[arg(long, value_name = "FILE", requires = "nats", group = "login")]
    pub(super) nats_nkey: Option<PathBuf>,
    /// A file with a token to log in with
    #[arg(long, value_name = "FILE", requires = "nats", group = "login")]
    pub(super) nats_token_file: Option<PathBuf>,
    /// PEM file of the authorities that sign the server's certificate, beside the system's
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(super) nats_ca: Option<PathBuf>,
    /// PEM file of our own certificate
    #[arg(long, value_name = "FILE", requires = "nats", requires = "nats_key")]
    pub(super) nats_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE", requires = "nats", requires = "nats_cert")]
    pub(super) nats_key: Option<PathBuf>,
    /// What the names of our own streams and buckets begin with; each application has its own [default: A4CO]
    #[arg(long, value_name = "NAME", requires = "nats")]
    pub(super) nats_prefix: Option<String>,
    /// What an answer survives: `fast` the end of any process, `safe` the loss of power too [default: fast]
    #[arg(long, value_enum, requires = "nats")]
    pub(super) durability: Option<DurabilityArg>,
}

/// `--durability`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum DurabilityArg {
    Fast,
    Safe,
}

/// Where events and state lie, if that is NATS.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// How it is reached.
    pub settings: NatsSettings,
    /// What the names of our own streams and buckets begin with.
    pub prefix: String,
}

impl NatsOptions {
    /// Checks the flags; `None` where NATS is not wanted.
    pub(super) fn resolve(args: NatsArgs) -> anyhow::Result<Option<Self>> {
        let Some(urls) = &args.nats else { return Ok(None) };
        let servers = urls.split(',').map(server).collect::<anyhow::Result<_>>()?;
        let authentication = match (args.nats_creds, args.nats_nkey, args.nats_token_file) {
            (Some(file), _, _) => Authentication::Credentials(file),
            (_, Some(file), _) => Authentication::Nkey(file),
            (_, _, Some(file)) => Authentication::TokenFile(file),
            (None, None, None) => Authentication::None,
        };
        let tls = Tls { authorities: args.nats_ca, identity: args.nats_cert.zip(args.nats_key) };
        let preset = match args.durability {
            None | Some(DurabilityArg::Fast) => Preset::Fast,
            Some(DurabilityArg::Safe) => Preset::Safe,
        };
        let prefix = args.nats_prefix.unwrap_or_else(|| "A4CO".to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if prefix.is_empty() || prefix.len() > MAX_PREFIX || !prefix.bytes().all(plain) {
            bail!("--nats-prefix {prefix}: expected up to {MAX_PREFIX} letters, digits and `-`, such as SHOP");
        }
        Ok(Some(Self { settings: NatsSettings { servers, authentication, tls, preset }, prefix }))
    }
}

fn server(text: &str) -> anyhow::Result<String> {
    let wanted = "expected nats://HOST:PORT or tls://HOST:PORT, several with commas between them";
    let url = Url::parse(text.trim()).with_context(|| format!("--nats {text}: {wanted}"))?;
    if !matches!(url.scheme(), "nats" | "tls") || url.host_str().is_none_or(str::is_empty) {
        bail!("--nats {text}: {wanted}");
    }
    Ok(text.trim().to_owned())
}

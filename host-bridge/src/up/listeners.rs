//! The two listeners, bound before anything is compiled: a taken port is told at once.

use crate::cli::UpOptions;
use anyhow::Context as _;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Both listeners, and where they ended up (port 0 takes a free one).
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) public_address: SocketAddr,
    pub(super) admin: TcpListener,
    pub(super) admin_address: SocketAddr,
}

impl Listeners {
    pub(super) async fn bind(options: &UpOptions) -> anyhow::Result<Self> {
        let public = bind(options.listen, "--listen").await?;
        let admin = bind(options.admin_listen, "--admin-listen").await?;
        Ok(Self { public_address: public.local_addr()?, public, admin_address: admin.local_addr()?, admin })
    }
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let hint = match address.port() {
        port @ 1..1024 => format!("ports below 1024 need rights ({port}); take another with {flag} HOST:PORT"),
        _ => format!("is another program listening there? stop it, or take another address with {flag} HOST:PORT"),
    };
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}: {hint}"))
}

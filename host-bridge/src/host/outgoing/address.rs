//! Which addresses a name may resolve to: a granted name must not lead into the host's own network.

use hyper_util::client::legacy::connect::dns::Name;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

/// How far a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The open internet: the host was allowed by a wildcard.
    Public,
    /// Private networks and loopback too: the grant names the host. Link-local stays out, where cloud metadata lives.
    Named,
}

impl Reach {
    /// Whether `address` is within reach.
    pub(super) fn covers(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Named => !is_link_local(address),
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() || is_aws_metadata(v6),
    }
}

fn is_public(address: IpAddr) -> bool {
    if is_link_local(address) {
        return false;
    }
    match canonical(address) {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || is_shared(v4) || v4.is_documentation()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local()),
    }
}

/// An IPv4 address dressed as IPv6 is judged as what it is.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            _ => v6.to_canonical(),
        },
        v4 => v4,
    }
}

/// `0.0.0.0/8`, carrier-grade NAT, and what is reserved.
fn is_shared(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    a == 0 || (a == 100 && (64..128).contains(&b)) || a >= 240 || (a == 192 && b == 0 && c == 0)
}

fn is_aws_metadata(address: Ipv6Addr) -> bool {
    address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
}

/// Resolves names, and keeps only what is within reach: checked on the very addresses that are connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilteringResolver(pub(super) Reach);

type Resolved = Pin<Box<dyn Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl tower_service::Service<Name> for FilteringResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Resolved;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolved {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let kept: Vec<SocketAddr> = found.into_iter().filter(|found| reach.covers(found.ip())).collect();
            if kept.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no address of the host is within reach"));
            }
            Ok(kept.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_reaches_only_the_public_internet() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "0.0.0.0",
        ] {
            assert!(!Reach::Public.covers(address.parse().unwrap()), "{address}");
        }
        for address in ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"] {
            assert!(Reach::Public.covers(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_named_host_may_be_private_but_never_link_local() {
        for address in ["127.0.0.1", "10.1.2.3", "fd00::1"] {
            assert!(Reach::Named.covers(address.parse().unwrap()), "{address}");
        }
        for address in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"] {
            assert!(!Reach::Named.covers(address.parse().unwrap()), "{address}");
        }
    }
}

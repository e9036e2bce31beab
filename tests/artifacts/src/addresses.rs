//! Addresses for the processes that tests start.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what the system gives to outgoing connections: one of those would take a port between our look and the bind of
/// the process it is for, or while that process is down.
const FIRST: u16 = 10_000;
/// How many there are.
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address nobody listens on, and another one each time: tests run beside each other. Programs that run at the same
/// time begin at places of their own.
///
/// # Panics
/// Where every port is taken.
#[must_use]
#[expect(clippy::panic, reason = "for tests")]
pub fn free_address() -> SocketAddr {
    let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..COUNT {
        let number = u32::from(NEXT.fetch_add(1, Ordering::Relaxed) % COUNT);
        let offset = u16::try_from((begin + number) % u32::from(COUNT)).unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port from {FIRST} on is free")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    // One test: they share the count.
    #[test]
    fn none_is_given_twice_or_to_a_connection_or_while_it_is_taken() {
        let given: BTreeSet<_> = (0..100).map(|_| free_address().port()).collect();
        assert_eq!(given.len(), 100);
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let outgoing: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(given.iter().all(|port| *port < outgoing), "connections begin at {outgoing}");

        let taken = TcpListener::bind(free_address()).unwrap();
        NEXT.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(free_address(), taken.local_addr().unwrap());
    }
}

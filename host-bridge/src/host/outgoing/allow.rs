//! `allowed_outbound_hosts`: Spin's syntax for where a component may connect to.
//!
//! `scheme://host[:port]`. Scheme: a name or `*`. Host: a name, an address, `*`, or `*.example.com` for everything
//! below it. Port: a number, a range `8000..8999`, or `*`; without one, the scheme's own.

use std::ops::RangeInclusive;

/// Why an entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is no allowed outbound host: {why}")]
pub struct AllowError {
    entry: String,
    why: &'static str,
}

/// How a target was allowed; what it may resolve to depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// An entry names this very host.
    Literally,
    /// A wildcard covers it.
    ByPattern,
}

/// Where a component may connect to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    scheme: Option<String>,
    host: Host,
    ports: RangeInclusive<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Below(String),
    Named(String),
}

impl AllowList {
    /// Reads the manifest's entries.
    ///
    /// # Errors
    /// Names the first entry that is malformed.
    pub fn new(entries: &[String]) -> Result<Self, AllowError> {
        entries.iter().map(|entry| Entry::parse(entry)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether, and how, a target is allowed; `host` without brackets.
    #[must_use]
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> Option<Allowed> {
        let host = host.to_ascii_lowercase();
        let fits = self.0.iter().filter(|entry| entry.fits(scheme, port));
        let mut found = None;
        for entry in fits {
            match &entry.host {
                Host::Named(name) if *name == host => return Some(Allowed::Literally),
                Host::Any => found = Some(Allowed::ByPattern),
                Host::Below(suffix) if host.strip_suffix(suffix.as_str()).is_some_and(|label| !label.is_empty()) => {
                    found = Some(Allowed::ByPattern);
                }
                Host::Named(_) | Host::Below(_) => {}
            }
        }
        found
    }
}

impl Entry {
    fn parse(entry: &str) -> Result<Self, AllowError> {
        let fail = |why| AllowError { entry: entry.chars().take(128).collect(), why };
        let (scheme, rest) = entry.split_once("://").ok_or_else(|| fail("it needs a scheme, as in `https://host`"))?;
        if rest.trim_end_matches('/').contains(['/', '?', '#', '@']) {
            return Err(fail("it is a host, without user, path or query"));
        }
        let (host, port) = split_port(rest.trim_end_matches('/'));
        let scheme = match scheme {
            "" => return Err(fail("its scheme is empty")),
            "*" => None,
            name => Some(name.to_ascii_lowercase()),
        };
        let ports = match port {
            Some(port) => parse_ports(port).ok_or_else(|| fail("its port is no number, range or `*`"))?,
            None => default_port(scheme.as_deref().unwrap_or_default())
                .map(|port| port..=port)
                .ok_or_else(|| fail("its scheme has no port of its own: name one, or `:*`"))?,
        };
        let host = parse_host(host).ok_or_else(|| fail("its host is no name, address, `*` or `*.name`"))?;
        Ok(Self { scheme, host, ports })
    }

    fn fits(&self, scheme: &str, port: u16) -> bool {
        self.scheme.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(scheme)) && self.ports.contains(&port)
    }
}

/// The port a scheme means where none is named.
#[must_use]
pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    match text.split_once("..") {
        Some((from, to)) => Some(from.parse().ok()?..=to.parse().ok()?),
        None => text.parse().ok().map(|port: u16| port..=port),
    }
}

fn parse_host(text: &str) -> Option<Host> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).to_ascii_lowercase();
    if text == "*" {
        return Some(Host::Any);
    }
    if let Some(parent) = bare.strip_prefix("*.") {
        return (!parent.is_empty() && !parent.contains('*')).then(|| Host::Below(format!(".{parent}")));
    }
    (!bare.is_empty() && !bare.contains('*')).then_some(Host::Named(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, target: (&str, &str, u16), expected: Option<Allowed>) {
        let list = AllowList::new(&[entry.to_owned()]).unwrap();
        assert_eq!(list.allows(target.0, target.1, target.2), expected, "{entry} on {target:?}");
    }

    #[test]
    fn entries_cover_as_in_spin() {
        check("https://api.example.com", ("https", "api.example.com", 443), Some(Allowed::Literally));
        check("https://api.example.com", ("https", "API.example.com", 443), Some(Allowed::Literally));
        check("https://api.example.com", ("https", "api.example.com", 8443), None);
        check("https://api.example.com", ("http", "api.example.com", 443), None);
        check("http://*.spin.internal", ("http", "inventory.spin.internal", 80), Some(Allowed::ByPattern));
        check("http://*.spin.internal", ("http", "spin.internal", 80), None);
        check("http://*.spin.internal", ("http", "evilspin.internal", 80), None);
        check("http://127.0.0.1:8000..8999", ("http", "127.0.0.1", 8500), Some(Allowed::Literally));
        check("http://[::1]:80", ("http", "::1", 80), Some(Allowed::Literally));
        check("*://*:*", ("https", "anything", 1), Some(Allowed::ByPattern));
        check("https://*", ("https", "anything", 443), Some(Allowed::ByPattern));
    }

    #[test]
    fn a_literal_entry_wins_over_a_pattern() {
        let list = AllowList::new(&["http://*".to_owned(), "http://db".to_owned()]).unwrap();
        assert_eq!(list.allows("http", "db", 80), Some(Allowed::Literally));
    }

    #[test]
    fn malformed_entries_are_named() {
        for entry in
            ["example.com", "://x", "http://", "http://a/b", "http://u@h", "http://a:x", "http://*a", "ftp://x"]
        {
            let error = AllowList::new(&[entry.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(entry), "{error}");
        }
    }
}

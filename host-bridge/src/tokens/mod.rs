//! Who is at the other end of a bridge: short-lived EdDSA tokens, and the keys they are signed with.
//!
//! Each party (the bridge, each component that publishes) has a key set of its own. A set has one active key, or two
//! while it is being rotated: the first signs, all verify. There is no default key and no other algorithm.

mod files;
mod jwk;
mod jwt;
#[cfg(test)]
mod tests;

pub use files::{KeyFileError, generate, load_private, load_public, private_path, public_path, rotate};
pub use jwk::{KeySet, MAX_ACTIVE};
pub use jwt::{Denied, Signer, Trusted};

use std::time::Duration;

/// The bridge, as issuer and as audience.
pub const BRIDGE: &str = "a4co-bridge";
/// Largest token, in bytes: a larger one is not looked at.
pub const MAX_TOKEN_BYTES: usize = 2_048;
/// Longest time between `iat` and `exp` that is accepted: a stolen token is of use for so long.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);
/// How long a token that is signed here is good for. It is used for half of it.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// How far the clocks of both sides may be apart.
pub const LEEWAY: Duration = Duration::from_secs(10);

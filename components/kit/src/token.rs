//! Who is at the other end of a bridge: short-lived tokens (JWS compact, EdDSA over Ed25519), signed and verified here.
//!
//! One algorithm, pinned; every claim required; the size bounded before anything is parsed; no key that is not given.

use crate::time::Millis;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signature, Signer as _};
use serde::{Deserialize, Serialize};
use std::fmt;

mod keys;

pub use keys::{KeyError, PublicKeys, SigningKey};

/// The bridge, as issuer and as audience.
pub const BRIDGE: &str = "a4co-bridge";
/// Largest token, in bytes: a larger one is not looked at.
pub const MAX_TOKEN_BYTES: usize = 2_048;
/// Longest time between `iat` and `exp` that is accepted, in seconds: a stolen token is of use for so long.
pub const MAX_LIFETIME_SECONDS: u64 = 300;
/// How far the clocks of both sides may be apart, in seconds.
pub const LEEWAY_SECONDS: u64 = 10;
/// How long a token that is signed here is good for, in seconds: enough for one call and the clocks.
const LIFETIME_SECONDS: u64 = 60;
/// The only algorithm.
const ALGORITHM: &str = "EdDSA";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// On whose behalf.
    pub sub: String,
    /// For whom it is.
    pub aud: String,
    /// When it was signed, in seconds since the Unix epoch.
    pub iat: u64,
    /// Until when it is good.
    pub exp: u64,
    /// From when it is good, where that is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// It is larger than [`MAX_TOKEN_BYTES`].
    TooLarge,
    /// It is no token.
    Malformed,
    /// It names another algorithm than EdDSA, or asks for what nobody here knows.
    Algorithm,
    /// No key has its `kid`.
    UnknownKey,
    /// It was not signed with that key.
    Signature,
    /// It is over.
    Expired,
    /// It is not good yet, or comes from the future.
    NotYet,
    /// It would be good for longer than [`MAX_LIFETIME_SECONDS`], or ends before it begins.
    Lifetime,
    /// It is for somebody else.
    Audience,
    /// It is from somebody else.
    Issuer,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no token: send `Authorization: Bearer …`",
            Self::TooLarge => "the token is too large",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token's algorithm is not EdDSA",
            Self::UnknownKey => "the token's key is not known",
            Self::Signature => "the token's signature is wrong",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::Lifetime => "the token is valid for too long",
            Self::Audience => "the token is for somebody else",
            Self::Issuer => "the token is from somebody else",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    kid: &'a str,
    /// Extensions that must be understood: none is.
    #[serde(default, skip_serializing)]
    crit: Option<serde::de::IgnoredAny>,
}

/// Verifies the token of an `Authorization` header: that `issuer` signed it for `audience`, and that `now` is its time.
///
/// # Errors
/// Why it is not accepted.
pub fn verify(
    authorization: Option<&str>,
    keys: &PublicKeys,
    (issuer, audience): (&str, &str),
    now: Millis,
) -> Result<Claims, Denied> {
    let token = authorization.and_then(|text| text.strip_prefix("Bearer ")).ok_or(Denied::Missing)?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Denied::TooLarge);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Denied::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Denied::Malformed)?;
    let header = decode(header)?;
    let header: Header<'_> = crate::json::from_slice(&header).map_err(|_| Denied::Malformed)?;
    if header.alg != ALGORITHM || header.crit.is_some() {
        return Err(Denied::Algorithm);
    }
    let key = keys.of(header.kid).ok_or(Denied::UnknownKey)?;
    let signature = Signature::from_slice(&decode(signature)?).map_err(|_| Denied::Signature)?;
    key.verify_strict(signed.as_bytes(), &signature).map_err(|_| Denied::Signature)?;
    let claims: Claims = crate::json::from_slice(&decode(claims)?).map_err(|_| Denied::Malformed)?;
    check(&claims, (issuer, audience), now.0 / 1_000)?;
    Ok(claims)
}

fn check(claims: &Claims, (issuer, audience): (&str, &str), now: u64) -> Result<(), Denied> {
    if claims.aud != audience {
        return Err(Denied::Audience);
    }
    if claims.iss != issuer || claims.sub != issuer {
        return Err(Denied::Issuer);
    }
    if claims.exp <= claims.iat || claims.exp - claims.iat > MAX_LIFETIME_SECONDS {
        return Err(Denied::Lifetime);
    }
    if claims.exp.saturating_add(LEEWAY_SECONDS) <= now {
        return Err(Denied::Expired);
    }
    let from = claims.nbf.unwrap_or(0).max(claims.iat);
    if from > now.saturating_add(LEEWAY_SECONDS) { Err(Denied::NotYet) } else { Ok(()) }
}

/// Signs a token from `issuer` for `audience`, as the value of an `Authorization` header.
#[must_use]
pub fn sign(key: &SigningKey, issuer: &str, audience: &str, now: Millis) -> String {
    let iat = now.0 / 1_000;
    let claims = Claims {
        iss: issuer.to_owned(),
        sub: issuer.to_owned(),
        aud: audience.to_owned(),
        iat,
        exp: iat + LIFETIME_SECONDS,
        nbf: None,
    };
    let header = Header { alg: ALGORITHM, typ: Some("JWT"), kid: &key.id, crit: None };
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = key.key.sign(signed.as_bytes()).to_bytes();
    format!("Bearer {signed}.{}", Base64UrlUnpadded::encode_string(&signature))
}

fn encode<T: Serialize>(part: &T) -> String {
    // Texts and numbers always have a JSON form.
    Base64UrlUnpadded::encode_string(&serde_json::to_vec(part).unwrap_or_default())
}

fn decode(part: &str) -> Result<Vec<u8>, Denied> {
    Base64UrlUnpadded::decode_vec(part).map_err(|_| Denied::Malformed)
}

#[cfg(test)]
mod tests;

//! Keys as they are configured: JSON Web Key sets (RFC 7517, RFC 8037), one key or several active ones.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use std::fmt;

/// Most keys of a set: a set is two where keys are being rotated.
const MAX_KEYS: usize = 16;

/// Keys that verify.
pub struct PublicKeys(Vec<(String, VerifyingKey)>);

/// A key that signs, with its id.
pub struct SigningKey {
    pub(super) id: String,
    pub(super) key: ed25519_dalek::SigningKey,
}

/// Why a text is no key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    #[serde(default)]
    d: Option<String>,
}

impl PublicKeys {
    /// Reads a set.
    ///
    /// # Errors
    /// Where it is none, or holds another kind of key.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let read = |jwk: &Jwk| {
            let bytes = bytes(&jwk.kid, &jwk.x)?;
            let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError(format!("key {} is no point", jwk.kid)))?;
            Ok((jwk.kid.clone(), key))
        };
        set(text)?.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn of(&self, id: &str) -> Option<&VerifyingKey> {
        self.0.iter().find(|(there, _)| there == id).map(|(_, key)| key)
    }
}

impl SigningKey {
    /// Reads the first key of a set: the one that signs.
    ///
    /// # Errors
    /// Where it is no set, or its first key lacks its private part or does not go with its public one.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let keys = set(text)?;
        let jwk = keys.first().ok_or_else(|| KeyError("the key set is empty".to_owned()))?;
        let secret = jwk.d.as_deref().ok_or_else(|| KeyError(format!("key {} has no private part", jwk.kid)))?;
        let key = ed25519_dalek::SigningKey::from_bytes(&bytes(&jwk.kid, secret)?);
        if key.verifying_key().to_bytes() != bytes(&jwk.kid, &jwk.x)? {
            return Err(KeyError(format!("the two parts of key {} do not belong together", jwk.kid)));
        }
        Ok(Self { id: jwk.kid.clone(), key })
    }
}

fn set(text: &str) -> Result<Vec<Jwk>, KeyError> {
    let set: Set = serde_json::from_str(text).map_err(|error| KeyError(format!("not a key set: {error}")))?;
    if set.keys.len() > MAX_KEYS {
        return Err(KeyError(format!("the key set has {} keys, at most {MAX_KEYS} are taken", set.keys.len())));
    }
    match set.keys.iter().find(|jwk| jwk.kty != "OKP" || jwk.crv != "Ed25519" || jwk.kid.is_empty()) {
        Some(jwk) => Err(KeyError(format!("key {:?} is no Ed25519 key with an id", jwk.kid))),
        None => Ok(set.keys),
    }
}

fn bytes(id: &str, text: &str) -> Result<[u8; 32], KeyError> {
    let decoded = Base64UrlUnpadded::decode_vec(text).ok();
    decoded.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| KeyError(format!("key {id} has not 32 bytes")))
}

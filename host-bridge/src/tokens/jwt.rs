//! Tokens: JWS compact, signed here for one audience, verified here against the keys of all who may ask.
//!
//! Written out rather than taken from a library: it is one algorithm, one shape and the host's own clock, and the
//! libraries bring RSA and the rest along. The guest's side has an implementation of its own; one table of tokens,
//! good and bad, holds both.

use super::jwk::Jwk;
use super::{KeySet, LEEWAY, LIFETIME, MAX_LIFETIME, MAX_TOKEN_BYTES};
use crate::clock::Millis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The only algorithm.
const ALGORITHM: &str = "EdDSA";

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is none.
    #[error("there is no token: send `Authorization: Bearer …`")]
    Missing,
    /// It is larger than [`MAX_TOKEN_BYTES`].
    #[error("the token is too large")]
    TooLarge,
    /// It is no token.
    #[error("the token is malformed")]
    Malformed,
    /// It names another algorithm than EdDSA, or asks for what nobody here knows.
    #[error("the token's algorithm is not EdDSA")]
    Algorithm,
    /// No key has its `kid`.
    #[error("the token's key is not known")]
    UnknownKey,
    /// It was not signed with that key.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It is not good yet, or comes from the future.
    #[error("the token is not valid yet")]
    NotYet,
    /// It would be good for longer than [`MAX_LIFETIME`], or ends before it begins.
    #[error("the token is valid for too long")]
    Lifetime,
    /// It is for somebody else.
    #[error("the token is for somebody else")]
    Audience,
    /// Its issuer is not who owns the key.
    #[error("the token is from somebody else")]
    Issuer,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    kid: &'a str,
    /// Extensions that must be understood: none is.
    #[serde(default, skip_serializing)]
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
}

/// Signs for one party. A token serves for half its life, so that signing costs nothing a delivery.
pub struct Signer {
    party: String,
    id: String,
    key: SigningKey,
    /// By audience: the header's value, and until when it is used.
    made: Mutex<FxHashMap<String, (Arc<str>, Millis)>>,
}

impl Signer {
    /// Signs for `party` with the first key of its set.
    ///
    /// # Errors
    /// Where that key has no private part.
    pub fn new(party: &str, set: &KeySet) -> Result<Self, String> {
        let first = set.keys.first().ok_or("the key set is empty")?;
        let key = first.signing_key()?.ok_or_else(|| format!("key {:?} has no private part", first.kid))?;
        Ok(Self { party: party.to_owned(), id: first.kid.clone(), key, made: Mutex::default() })
    }

    /// The value of an `Authorization` header for `audience`.
    #[must_use]
    pub fn authorization(&self, audience: &str, now: Millis) -> Arc<str> {
        let mut made = self.made.lock();
        if let Some((value, until)) = made.get(audience)
            && now < *until
        {
            return Arc::clone(value);
        }
        let value: Arc<str> = self.sign(audience, now.0 / 1_000).into();
        made.insert(audience.to_owned(), (Arc::clone(&value), now.after(LIFETIME / 2)));
        value
    }

    fn sign(&self, audience: &str, iat: u64) -> String {
        let claims = Claims {
            iss: self.party.clone(),
            sub: self.party.clone(),
            aud: audience.to_owned(),
            iat,
            exp: iat + LIFETIME.as_secs(),
            nbf: None,
        };
        let header = Header { alg: ALGORITHM, typ: Some("JWT"), kid: &self.id, crit: None };
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(signed.as_bytes()).to_bytes();
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl std::fmt::Debug for Signer {
    /// Without the key: it must not get into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("party", &self.party).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whose tokens are accepted: the public keys of every party that may ask.
#[derive(Debug, Default)]
pub struct Trusted {
    /// By key id: whose it is.
    keys: FxHashMap<String, (Arc<str>, VerifyingKey)>,
}

impl Trusted {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And `party`, by any key of its set.
    ///
    /// # Errors
    /// Where a key is no point of the curve.
    pub fn and(mut self, party: &str, set: &KeySet) -> Result<Self, String> {
        let party: Arc<str> = party.into();
        for jwk in &set.keys {
            self.keys.insert(jwk.kid.clone(), (Arc::clone(&party), verifying(jwk)?));
        }
        Ok(self)
    }

    /// Verifies the value of an `Authorization` header; who sent it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, authorization: Option<&str>, audience: &str, now: Millis) -> Result<Arc<str>, Denied> {
        let token = authorization.and_then(|text| text.strip_prefix("Bearer ")).ok_or(Denied::Missing)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Denied::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Denied::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Denied::Malformed)?;
        let header = decode(header)?;
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Denied::Malformed)?;
        if header.alg != ALGORITHM || header.crit.is_some() {
            return Err(Denied::Algorithm);
        }
        let (party, key) = self.keys.get(header.kid).ok_or(Denied::UnknownKey)?;
        let signature = Signature::from_slice(&decode(signature)?).map_err(|_| Denied::Signature)?;
        key.verify_strict(signed.as_bytes(), &signature).map_err(|_| Denied::Signature)?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| Denied::Malformed)?;
        claims.check((party, audience), now.0 / 1_000)?;
        Ok(Arc::clone(party))
    }
}

impl Claims {
    fn check(&self, (issuer, audience): (&str, &str), now: u64) -> Result<(), Denied> {
        if self.aud != audience {
            return Err(Denied::Audience);
        }
        if self.iss != issuer || self.sub != issuer {
            return Err(Denied::Issuer);
        }
        if self.exp <= self.iat || self.exp - self.iat > MAX_LIFETIME.as_secs() {
            return Err(Denied::Lifetime);
        }
        if self.exp.saturating_add(LEEWAY.as_secs()) <= now {
            return Err(Denied::Expired);
        }
        let from = self.nbf.unwrap_or(0).max(self.iat);
        if from > now.saturating_add(LEEWAY.as_secs()) { Err(Denied::NotYet) } else { Ok(()) }
    }
}

fn verifying(jwk: &Jwk) -> Result<VerifyingKey, String> {
    VerifyingKey::from_bytes(&jwk.public_bytes()?).map_err(|_| format!("key {:?} is no point of the curve", jwk.kid))
}

fn encode<T: Serialize>(part: &T) -> String {
    // Texts and numbers always have a JSON form.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).unwrap_or_default())
}

fn decode(part: &str) -> Result<Vec<u8>, Denied> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::Malformed)
}

//! Key sets as they lie in files: JSON Web Key sets (RFC 7517) of Ed25519 keys (RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Active keys of one party: one, and its successor while they are being exchanged.
pub const MAX_ACTIVE: usize = 2;

/// The keys of one party, the one that signs first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    pub(super) keys: Vec<Jwk>,
}

/// One key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Jwk {
    pub(super) kty: String,
    pub(super) crv: String,
    pub(super) alg: String,
    pub(super) r#use: String,
    pub(super) kid: String,
    pub(super) x: String,
    /// The private part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) d: Option<String>,
}

impl std::fmt::Debug for Jwk {
    /// Without the private part: it must not get into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwk").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl KeySet {
    /// A set of one new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate() -> Result<Self, String> {
        Ok(Self { keys: vec![Jwk::generate()?] })
    }

    /// The set with a new key that signs; the one that signed so far stays active, older ones go.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn rotated(mut self) -> Result<Self, String> {
        self.keys.insert(0, Jwk::generate()?);
        self.keys.truncate(MAX_ACTIVE);
        Ok(self)
    }

    /// Without the private parts: what the other side is given.
    #[must_use]
    pub fn public(&self) -> Self {
        Self { keys: self.keys.iter().map(|key| Jwk { d: None, ..key.clone() }).collect() }
    }

    /// The ids of its keys, the one that signs first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.kid.as_str())
    }

    /// As a file holds it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads and checks a set.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let set: Self = serde_json::from_str(text).map_err(|error| format!("not a key set: {error}"))?;
        if set.keys.is_empty() || set.keys.len() > MAX_ACTIVE {
            return Err(format!("it has {} keys; 1 to {MAX_ACTIVE} are active at a time", set.keys.len()));
        }
        set.keys.iter().try_for_each(Jwk::check)?;
        Ok(set)
    }
}

impl Jwk {
    fn generate() -> Result<Self, String> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| format!("the system has no randomness: {error}"))?;
        let key = SigningKey::from_bytes(&seed);
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().to_bytes());
        Ok(Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            kid: thumbprint(&x),
            x,
            d: Some(URL_SAFE_NO_PAD.encode(seed)),
        })
    }

    fn check(&self) -> Result<(), String> {
        if (self.kty.as_str(), self.crv.as_str(), self.alg.as_str()) != ("OKP", "Ed25519", "EdDSA") {
            return Err(format!("key {:?} is no Ed25519 key", self.kid));
        }
        if self.kid != thumbprint(&self.x) {
            return Err(format!("key {:?} is not named by its thumbprint: the file was changed by hand", self.kid));
        }
        if let Some(signing) = self.signing_key()?
            && signing.verifying_key().to_bytes() != bytes(&self.x)?
        {
            return Err(format!("the two parts of key {:?} do not belong together", self.kid));
        }
        Ok(())
    }

    /// The private key, where this is one.
    pub(super) fn signing_key(&self) -> Result<Option<SigningKey>, String> {
        self.d.as_deref().map(|secret| Ok(SigningKey::from_bytes(&bytes(secret)?))).transpose()
    }

    /// The public key.
    pub(super) fn public_bytes(&self) -> Result<[u8; 32], String> {
        bytes(&self.x)
    }
}

fn bytes(text: &str) -> Result<[u8; 32], String> {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok();
    decoded.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| "a key has not 32 bytes".to_owned())
}

/// RFC 7638: the same key has the same id wherever it is written down.
fn thumbprint(x: &str) -> String {
    let canonical = format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}");
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}

//! Tokens as a forger makes them: a good one, and every way in which one can be bad.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

/// Somebody with a key.
pub struct Forger {
    key: SigningKey,
    kid: String,
}

/// A token and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Bad {
    /// What is wrong.
    pub what: &'static str,
    /// The value of the `Authorization` header; `None` where there is none.
    pub authorization: Option<String>,
}

impl Forger {
    /// With the private key of a key set's first key: whoever has it can sign anything.
    ///
    /// # Panics
    /// Where the text is no private key set.
    #[must_use]
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn with(set: &str) -> Self {
        let set: Value = serde_json::from_str(set).expect("a key set");
        let text = |pointer: &str| set.pointer(pointer).and_then(Value::as_str).expect("a part of it").to_owned();
        let seed = Base64UrlUnpadded::decode_vec(&text("/keys/0/d")).expect("base64");
        let key = SigningKey::from_bytes(&seed.try_into().expect("32 bytes"));
        Self { key, kid: text("/keys/0/kid") }
    }

    /// A good token.
    #[must_use]
    pub fn good(&self, issuer: &str, audience: &str, now: u64) -> String {
        self.token(&self.header(), &claims(issuer, audience, now))
    }

    fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid })
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        self.signed(&header.to_string(), &claims.to_string())
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = encode(&self.key.sign(signed.as_bytes()).to_bytes());
        format!("Bearer {signed}.{signature}")
    }

    /// Every bad token, where `issuer` asks `audience` at `now` (seconds).
    #[must_use]
    pub fn bad(&self, issuer: &str, audience: &str, now: u64) -> Vec<Bad> {
        let good = self.good(issuer, audience, now);
        let mut bad = vec![Bad { what: "no token", authorization: None }];
        let mut add = |what, authorization: String| bad.push(Bad { what, authorization: Some(authorization) });
        add("an empty header", String::new());
        add("another scheme", good.replace("Bearer", "Basic"));
        add("the scheme alone", "Bearer ".to_owned());
        add("no scheme", good.replace("Bearer ", ""));
        add("two parts", good.rsplit_once('.').map(|(head, _)| head.to_owned()).unwrap_or_default());
        add("four parts", format!("{good}.AAAA"));
        add("a padded part", good.replacen('.', "=.", 1));
        add("no base64", good.replacen('.', "!.", 1));
        add("oversized", format!("{good}{}", "A".repeat(5_000)));
        add("a header that is no JSON", self.signed("{", &claims(issuer, audience, now).to_string()));
        add("claims that are no JSON", self.signed(&self.header().to_string(), "{"));
        add("a claim twice", self.signed(&self.header().to_string(), &twice(issuer, audience, now)));
        for (what, header) in self.bad_headers() {
            add(what, self.token(&header, &claims(issuer, audience, now)));
        }
        for (what, claims) in bad_claims(issuer, audience, now) {
            add(what, self.token(&self.header(), &claims));
        }
        add("a changed claim", swapped(&good, &claims(issuer, audience, now + 1)));
        add("a signature of zeros", cut_signature(&good, &encode(&[0; 64])));
        add("no signature", cut_signature(&good, ""));
        add("half a signature", cut_signature(&good, &encode(&[1; 32])));
        let stranger = Self { key: SigningKey::from_bytes(&[7; 32]), kid: self.kid.clone() };
        add("another's signature under our key id", stranger.good(issuer, audience, now));
        bad
    }

    fn bad_headers(&self) -> Vec<(&'static str, Value)> {
        let with = |name: &str, value: Value| {
            let mut header = self.header();
            header[name] = value;
            header
        };
        vec![
            ("alg: none", with("alg", json!("none"))),
            ("alg: HS256", with("alg", json!("HS256"))),
            ("alg: ES256", with("alg", json!("ES256"))),
            ("alg in lower case", with("alg", json!("eddsa"))),
            ("no alg", without(&self.header(), "alg")),
            ("no key id", without(&self.header(), "kid")),
            ("an unknown key id", with("kid", json!("nobody"))),
            ("a critical extension", with("crit", json!(["exp"]))),
        ]
    }
}

fn bad_claims(issuer: &str, audience: &str, now: u64) -> Vec<(&'static str, Value)> {
    let good = claims(issuer, audience, now);
    let with = |changes: &[(&str, Value)]| {
        let mut claims = good.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        claims
    };
    vec![
        ("expired", with(&[("iat", json!(now - 200)), ("exp", json!(now - 100))])),
        ("not valid yet", with(&[("nbf", json!(now + 100))])),
        ("from the future", with(&[("iat", json!(now + 100)), ("exp", json!(now + 160))])),
        ("valid for a day", with(&[("exp", json!(now + 86_400))])),
        ("over before it begins", with(&[("exp", json!(now - 1))])),
        ("for another component", with(&[("aud", json!("somebody-else"))])),
        ("for several", with(&[("aud", json!([audience, "somebody-else"]))])),
        ("from somebody else", with(&[("iss", json!("somebody-else"))])),
        ("on behalf of somebody else", with(&[("sub", json!("somebody-else"))])),
        ("exp as a text", with(&[("exp", json!(format!("{}", now + 60)))])),
        ("a negative iat", with(&[("iat", json!(-1))])),
        ("no exp", without(&good, "exp")),
        ("no iat", without(&good, "iat")),
        ("no iss", without(&good, "iss")),
        ("no aud", without(&good, "aud")),
        ("no sub", without(&good, "sub")),
    ]
}

fn claims(issuer: &str, audience: &str, now: u64) -> Value {
    json!({ "iss": issuer, "sub": issuer, "aud": audience, "iat": now, "exp": now + 60 })
}

/// Two readers of it could see two audiences.
fn twice(issuer: &str, audience: &str, now: u64) -> String {
    claims(issuer, audience, now).to_string().replacen('{', "{\"aud\":\"somebody-else\",", 1)
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        object.remove(name);
    }
    value
}

fn swapped(good: &str, claims: &Value) -> String {
    let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    if let Some(part) = parts.get_mut(1) {
        *part = encode(claims.to_string().as_bytes());
    }
    parts.join(".")
}

fn cut_signature(good: &str, signature: &str) -> String {
    good.rsplit_once('.').map(|(head, _)| format!("{head}.{signature}")).unwrap_or_default()
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

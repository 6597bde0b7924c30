//! An access key in the forms in which people paste it: the console's CSV, lines of a credentials file, AWS's JSON,
//! assignments of every shell, or the id and the secret alone.
//!
//! Everything is read as one or more `Found`: what stands together and could be a key. A label says what a value is;
//! only where there is none, its look does. No secret is copied but into the [`AccessKey`].

mod forms;
mod not_key;

use zeroize::Zeroizing;

use super::ids::AccessKeyId;
use super::secret::{AccessKey, Secret};
use super::text::is_deceptive;

pub use not_key::NotKey;

/// Reads the key in a text. UTF-8 or, as Windows writes files, UTF-16 with a byte order mark.
pub fn read(bytes: &[u8]) -> Result<AccessKey, NotKey> {
    let wide: Zeroizing<String>;
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => {
            wide = utf16(rest, u16::from_le_bytes)?;
            &wide
        }
        [0xFE, 0xFF, rest @ ..] => {
            wide = utf16(rest, u16::from_be_bytes)?;
            &wide
        }
        _ => std::str::from_utf8(bytes).map_err(|_| NotKey::NotText)?,
    };
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if text.is_empty() {
        return Err(NotKey::Nothing);
    }
    let why = match judge(&forms::found(text)) {
        Ok(key) => return Ok(key),
        Err(why @ (NotKey::Session | NotKey::Several(_))) => return Err(why),
        Err(why) => why,
    };
    // Labels in another language, or a key in the middle of a sentence.
    if let Some((id, secret)) = forms::unmistakable(text) {
        return key(id, secret);
    }
    Err(match why {
        NotKey::Unknown | NotKey::BadId(_) => not_key::look(text).unwrap_or(why),
        why => why,
    })
}

/// Reads the secret that belongs to an id: alone, or in any form that names it.
pub fn read_secret(id: &AccessKeyId, bytes: &[u8]) -> Result<AccessKey, NotKey> {
    const LABEL: &[u8] = b"aws_access_key_id=";
    match read(bytes) {
        Ok(key) if key.id == *id => return Ok(key),
        Ok(key) => return Err(NotKey::Several(vec![id.clone(), key.id])),
        Err(_) => {}
    }
    // Large enough never to grow: growing would leave an unwiped copy behind.
    let size = LABEL.len() + id.as_str().len() + 1 + bytes.len();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    text.extend_from_slice(LABEL);
    text.extend_from_slice(id.as_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(bytes);
    read(&text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NotKey> {
    let (units, rest) = bytes.as_chunks::<2>();
    let units = units.iter().map(|two| unit(*two));
    // At most three bytes of UTF-8 for one unit: never grows.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() / 2 * 3));
    for c in char::decode_utf16(units) {
        text.push(c.map_err(|_| NotKey::NotText)?);
    }
    if rest.is_empty() { Ok(text) } else { Err(NotKey::NotText) }
}

/// What stands together: a row, an object, a profile.
#[derive(Default)]
struct Found<'a> {
    id: Option<Value<'a>>,
    secret: Option<Value<'a>>,
    has_token: bool,
    /// What it has that keys do not.
    other: Option<Other>,
}

/// A value: a part of the text, or what JSON's escapes make of one.
enum Value<'a> {
    Part(&'a str),
    Unescaped(Zeroizing<String>),
}

impl Value<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Part(text) => text,
            Self::Unescaped(text) => text,
        }
    }
}

/// What the labels of other credentials stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// A user's password for the web console.
    ConsolePassword,
    /// A password for git, SMTP and the like.
    ServicePassword,
    /// A bearer key for Amazon Bedrock.
    Bedrock,
    /// A token or a profile of IAM Identity Center.
    IdentityCenter,
    /// What `aws login` leaves.
    ConsoleLogin,
    /// A profile that assumes a role.
    Role,
    /// A profile whose key a program prints.
    Process,
}

/// The one key in what was found, else why there is none.
fn judge(found: &[Found<'_>]) -> Result<AccessKey, NotKey> {
    let mut keys: Vec<AccessKey> = Vec::new();
    let mut refused = None;
    let mut is_session = false;
    for one in found {
        let (Some(id), Some(secret)) = (&one.id, &one.secret) else { continue };
        match key(id.as_str(), secret.as_str()) {
            Ok(_) if one.has_token => is_session = true,
            Ok(key) if keys.iter().all(|other| other.id != key.id) => keys.push(key),
            Ok(_) => {}
            Err(NotKey::Session) => is_session = true,
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    if keys.len() > 1 {
        return Err(NotKey::Several(keys.into_iter().map(|key| key.id).collect()));
    }
    if let Some(key) = keys.pop() {
        return Ok(key);
    }
    is_session |= found.iter().any(|one| {
        let id = one.id.as_ref().map(Value::as_str);
        one.has_token && one.other.is_none() || id.is_some_and(|id| clean(id).starts_with("ASIA"))
    });
    let others = || found.iter().filter_map(|one| one.other);
    if is_session {
        let is_login = others().any(|other| other == Other::ConsoleLogin);
        return Err(if is_login { NotKey::Other(Other::ConsoleLogin) } else { NotKey::Session });
    }
    if let Some(why) = refused {
        return Err(why);
    }
    if let Some(other) = others().next() {
        return Err(NotKey::Other(other));
    }
    let id = found.iter().find_map(|one| one.id.as_ref());
    if let Some(id) = id {
        return Err(parse_id(id.as_str()).map_or_else(|why| why, NotKey::IdAlone));
    }
    if found.iter().any(|one| one.secret.is_some()) {
        return Err(NotKey::SecretAlone);
    }
    Err(NotKey::Unknown)
}

/// A key of its two halves.
fn key(id: &str, secret: &str) -> Result<AccessKey, NotKey> {
    let id = parse_id(id)?;
    let secret = clean(secret);
    if secret.is_empty() {
        return Err(NotKey::IdAlone(id));
    }
    if is_masked(secret) {
        return Err(NotKey::Masked);
    }
    if let Some(look) = not_key::look_of(secret).filter(|_| !forms::is_secret(secret)) {
        return Err(look);
    }
    let secret = Secret::new(secret.to_owned());
    if !secret.is_printable() {
        return Err(NotKey::HiddenCharacters);
    }
    Ok(AccessKey { id, secret })
}

/// The id of a long-term key.
fn parse_id(text: &str) -> Result<AccessKeyId, NotKey> {
    let text = clean(text);
    if is_masked(text) {
        return Err(NotKey::Masked);
    }
    if let Some(why) = not_key::look_of_id(text) {
        return Err(why);
    }
    // An id is shown and sent in clear; a secret in its place must not be.
    if forms::is_secret(text) {
        return Err(NotKey::SecretAlone);
    }
    match text.parse::<AccessKeyId>() {
        Ok(id) if id.is_temporary() => Err(NotKey::Session),
        Ok(id) => Ok(id),
        Err(_) if text.contains(is_deceptive) => Err(NotKey::HiddenCharacters),
        Err(why) => Err(NotKey::BadId(why)),
    }
}

/// A value as it was meant: without quotes, blanks and invisible characters around it.
fn clean(text: &str) -> &str {
    let is_around = |c: char| {
        c.is_whitespace()
            || is_deceptive(c)
            || matches!(c, '"' | '\'' | '`' | ',' | ';' | '“' | '”')
    };
    text.trim_matches(is_around)
}

/// Whether a page or a log hides a part of it.
fn is_masked(text: &str) -> bool {
    text.contains("***") || text.contains("...") || text.contains(['…', '•', '·'])
}

#[cfg(test)]
mod tests;

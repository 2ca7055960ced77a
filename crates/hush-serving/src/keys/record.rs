//! What is stored beside a finished key or an unfinished upload: a little JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hush_ckks::KeyId;
use serde_json::{Value, json};

use crate::keys::id::{self, hexadecimal};
use crate::keys::{KeyState, KeyStatus};
use crate::{Identity, Role};

/// Of a finished key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: KeyId,
    pub(crate) owner: String,
    pub(crate) bytes: u64,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    /// Digest of the parameters, in hexadecimal.
    pub(crate) parameters: String,
    pub(crate) log_degree: u32,
    /// Checksum of the content, in hexadecimal: also names the file that holds it.
    pub(crate) digest: String,
}

/// Of an unfinished upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) id: KeyId,
    pub(crate) owner: String,
    pub(crate) total: u64,
    pub(crate) created: SystemTime,
}

/// Whether somebody may know of something that belongs to `owner`.
pub(crate) fn may_see(identity: &Identity, owner: &str) -> bool {
    *identity.name == *owner || identity.has(Role::Administer)
}

impl Record {
    /// Name of the file with the key.
    pub(crate) fn data_name(&self) -> String {
        format!("{}-{}.key", hexadecimal(&self.id.0), &self.digest[..32])
    }

    /// Whether its time is over.
    pub(crate) fn expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub(crate) fn status(&self) -> KeyStatus {
        KeyStatus {
            id: hexadecimal(&self.id.0),
            state: KeyState::Complete,
            offset: self.bytes,
            total: self.bytes,
            owner: self.owner.clone(),
            created: self.created,
            expires: self.expires,
            parameters: self.parameters.clone(),
            log_degree: self.log_degree,
            digest: self.digest.clone(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let json = json!({
            "version": 1,
            "id": hexadecimal(&self.id.0),
            "owner": self.owner,
            "bytes": self.bytes,
            "created": seconds(self.created),
            "expires": self.expires.map(seconds),
            "parameters": self.parameters,
            "log_degree": self.log_degree,
            "digest": self.digest,
        });
        format!("{json:#}\n")
    }

    /// `None` for what [`Record::to_json`] did not write.
    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        let json = version_one(text)?;
        let expires = match &json["expires"] {
            Value::Null => None,
            expires => Some(time(expires)?),
        };
        let hexadecimal = |value: &Value| {
            let text = value.as_str()?;
            let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then(|| text.to_owned())
        };
        Some(Self {
            id: id::parse(json["id"].as_str()?).ok()?,
            owner: json["owner"].as_str()?.to_owned(),
            bytes: json["bytes"].as_u64()?,
            created: time(&json["created"])?,
            expires,
            parameters: hexadecimal(&json["parameters"])?,
            log_degree: u32::try_from(json["log_degree"].as_u64()?).ok()?,
            digest: hexadecimal(&json["digest"])?,
        })
    }
}

impl Begun {
    pub(crate) fn status(&self, offset: u64) -> KeyStatus {
        KeyStatus {
            id: hexadecimal(&self.id.0),
            state: KeyState::Uploading,
            offset,
            total: self.total,
            owner: self.owner.clone(),
            created: self.created,
            expires: None,
            parameters: String::new(),
            log_degree: 0,
            digest: String::new(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let json = json!({
            "version": 1,
            "id": hexadecimal(&self.id.0),
            "owner": self.owner,
            "total": self.total,
            "created": seconds(self.created),
        });
        format!("{json:#}\n")
    }

    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        let json = version_one(text)?;
        Some(Self {
            id: id::parse(json["id"].as_str()?).ok()?,
            owner: json["owner"].as_str()?.to_owned(),
            total: json["total"].as_u64()?,
            created: time(&json["created"])?,
        })
    }
}

fn version_one(text: &[u8]) -> Option<Value> {
    let json: Value = serde_json::from_slice(text).ok()?;
    (json["version"] == 1).then_some(json)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn time(json: &Value) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(json.as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            id: KeyId([3; 16]),
            owner: "ann \"quoted\"/../é".to_owned(),
            bytes: 1 << 40,
            created: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            expires: Some(UNIX_EPOCH + Duration::from_secs(1_900_000_000)),
            parameters: "ab".repeat(32),
            log_degree: 14,
            digest: "cd".repeat(32),
        }
    }

    #[test]
    fn records_round_trip() {
        let mut record = record();
        assert_eq!(
            Record::from_json(record.to_json().as_bytes()),
            Some(record.clone())
        );
        record.expires = None;
        assert_eq!(
            Record::from_json(record.to_json().as_bytes()),
            Some(record.clone())
        );
        let begun = Begun {
            id: record.id,
            owner: record.owner,
            total: 7,
            created: record.created,
        };
        assert_eq!(Begun::from_json(begun.to_json().as_bytes()), Some(begun));
    }

    #[test]
    fn what_is_cut_or_changed_is_nothing() {
        let text = record().to_json();
        for end in 0..text.len() - 2 {
            assert_eq!(Record::from_json(&text.as_bytes()[..end]), None);
        }
        for (from, to) in [("\"version\": 1", "\"version\": 2"), ("cdcd", "../.")] {
            assert_eq!(Record::from_json(text.replace(from, to).as_bytes()), None);
        }
    }

    #[test]
    fn expiry_is_at_the_moment_itself() {
        let record = record();
        let expires = record.expires.unwrap();
        assert!(record.expired(expires));
        assert!(!record.expired(expires - Duration::from_secs(1)));
    }
}

//! A party's key and self-signed certificate on disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hush_mpc::link::tls::{Fingerprint, TlsIdentity};
use zeroize::Zeroizing;

use crate::PartyError;

/// File names in an identity's folder.
const CERTIFICATE: &str = "party.crt";
const KEY: &str = "party.key";

/// A key and certificate that a party keeps; others pin the certificate's fingerprint.
pub struct Identity {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Identity {
    /// A new one; `name` is written into the certificate for people who look at it.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(name: &str) -> Result<Self, PartyError> {
        let fail = |error: rcgen::Error| PartyError::Make(error.to_string());
        let key = rcgen::KeyPair::generate().map_err(fail)?;
        let mut parameters =
            rcgen::CertificateParams::new(vec!["party.hushml".to_owned()]).map_err(fail)?;
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let certificate = parameters.self_signed(&key).map_err(fail)?;
        Ok(Self {
            certificate: certificate.der().to_vec(),
            key: Zeroizing::new(key.serialize_der()),
        })
    }

    /// Writes `party.crt` and `party.key` (readable by its owner only) into `folder`, which may not hold them yet.
    ///
    /// # Errors
    /// If a file is there already or cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), PartyError> {
        std::fs::create_dir_all(folder).map_err(PartyError::file("create", folder))?;
        for (name, label, bytes, secret) in [
            (KEY, "PRIVATE KEY", self.key.as_slice(), true),
            (CERTIFICATE, "CERTIFICATE", &self.certificate, false),
        ] {
            let path = folder.join(name);
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            if secret {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            #[cfg(not(unix))]
            let _ = secret;
            let text = Zeroizing::new(pem(label, bytes));
            options
                .open(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(PartyError::file("write", &path))?;
        }
        Ok(())
    }

    /// Reads what [`Identity::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing or is no PEM.
    pub fn load(folder: &Path) -> Result<Self, PartyError> {
        let read = |name: &str, label| {
            let path: PathBuf = folder.join(name);
            let text = std::fs::read_to_string(&path).map_err(PartyError::file("read", &path))?;
            let text = Zeroizing::new(text);
            unpem(label, &text).ok_or(PartyError::Malformed {
                path,
                reason: format!("is no {label} in PEM; make one with `hush party new-identity`"),
            })
        };
        Ok(Self {
            key: Zeroizing::new(read(KEY, "PRIVATE KEY")?),
            certificate: read(CERTIFICATE, "CERTIFICATE")?,
        })
    }

    /// What others pin.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    pub(crate) fn tls(&self) -> TlsIdentity {
        TlsIdentity::new(self.certificate.clone(), self.key.clone())
    }
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        lines.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        lines.push('\n');
    }
    lines.push_str(&format!("-----END {label}-----\n"));
    lines
}

fn unpem(label: &str, text: &str) -> Option<Vec<u8>> {
    let body = text
        .split_once(&format!("-----BEGIN {label}-----"))?
        .1
        .split_once(&format!("-----END {label}-----"))?
        .0;
    let digits: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_come_back_and_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::new("alice").unwrap();
        identity.save(folder.path()).unwrap();
        let found = Identity::load(folder.path()).unwrap();
        assert_eq!(found.fingerprint(), identity.fingerprint());
        assert_eq!(*found.key, *identity.key);
        assert!(matches!(
            Identity::new("bob").unwrap().save(folder.path()),
            Err(PartyError::File {
                action: "write",
                ..
            })
        ));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(KEY))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.path().join(KEY), "no key").unwrap();
        let error = Identity::load(folder.path()).err().unwrap().to_string();
        assert!(
            error.ends_with("is no PRIVATE KEY in PEM; make one with `hush party new-identity`")
        );
    }
}

//! A producer of randomness that has done its work before the servers meet.
//!
//! What the dealer sends depends on the program and its own seeds, and on no data. So it can run the program alone
//! ([`deal`]), give each server a file, and be gone when the servers compute ([`Dealt::online`]) with each other only.
//!
//! What is dealt serves once: masks that come twice would tell the difference of what they mask. [`Dealt`] cannot be
//! copied, and [`Dealt::take`] removes the file before it gives what was in it.
//!
//! A file, little-endian: magic, server (u16), number (32 bytes), secret (32 bytes), then each message with its length
//! (u64), and the BLAKE3 hash of all before it. It is as secret as the server's shares.

use std::io::Write as _;
use std::path::Path;

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::{DEALER, Pond};
use crate::MpcError;
use crate::link::{Link, LinkError, Step, Traffic};
use crate::session::Session;

const MAGIC: &[u8; 8] = b"HUSHDLT1";
const HASH: usize = 32;
const HEAD: usize = MAGIC.len() + 2 + 32 + 32;

/// What one server got for one run of one program.
pub struct Dealt {
    server: usize,
    /// The same at both servers, and never again.
    number: [u8; 32],
    secret: Zeroizing<[u8; 32]>,
    /// Messages one after the other, each behind its length.
    tape: Zeroizing<Vec<u8>>,
}

/// Runs `program` as the dealer, alone, and gives what servers 0 and 1 need for it. The program must do at the dealer
/// what it will do at the servers: the same operations on the same shapes. Nothing may be opened to the dealer, and it
/// can give no input.
///
/// # Errors
/// What the program gives; a message to or from others than server 1 is [`LinkError::Closed`].
pub fn deal(
    random: &mut (impl CryptoRng + ?Sized),
    program: impl FnOnce(&mut Pond) -> Result<(), MpcError>,
) -> Result<[Dealt; 2], MpcError> {
    let mut number = [0; 32];
    random.fill_bytes(&mut number);
    let mut secrets: Vec<_> = (0..3).map(|_| Zeroizing::new([0u8; 32])).collect();
    for secret in &mut secrets {
        random.fill_bytes(secret.as_mut());
    }
    let (sender, messages) = std::sync::mpsc::channel();
    let link = Recorder {
        sender,
        step: Step::default(),
        traffic: Traffic::none(3),
    };
    let mut pond = Pond {
        session: Session::with_secrets(Box::new(link), secrets.clone()),
        prepared: Vec::new(),
    };
    program(&mut pond)?;
    drop(pond);
    let tape = messages.iter().flat_map(|message: Vec<u8>| message);
    let tape: Vec<u8> = tape.collect();
    let dealt = |server: usize, tape: Vec<u8>| Dealt {
        server,
        number,
        secret: secrets[server].clone(),
        tape: Zeroizing::new(tape),
    };
    Ok([dealt(0, Vec::new()), dealt(1, tape)])
}

impl Dealt {
    /// The server's own part of a run with what was dealt; `link` reaches the other server, as party 0 or 1 of two. Both
    /// must use what was dealt together, which they find out first. Costs a round and 64 bytes from each.
    ///
    /// # Errors
    /// If the link is another server's, the other one has something else, or is gone.
    pub fn online(
        self,
        mut link: Box<dyn Link>,
        name: &[u8],
        random: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Pond, MpcError> {
        if link.parties() != 2 || link.party() != self.server {
            return Err(MpcError::Stored {
                reason: format!(
                    "it was dealt to server {} of two, and this is party {} of {}",
                    self.server,
                    link.party(),
                    link.parties()
                ),
            });
        }
        let other = 1 - self.server;
        let mut own = Zeroizing::new([0u8; 64]);
        random.fill_bytes(&mut own[..32]);
        own[32..].copy_from_slice(&self.number);
        link.send(other, own.as_ref())?;
        let mut theirs = Zeroizing::new([0u8; 64]);
        link.receive(other, theirs.as_mut())?;
        if theirs[32..] != self.number {
            return Err(MpcError::Stored {
                reason: "the other server has what was dealt for another run".to_owned(),
            });
        }
        let (low, high) = if self.server == 0 {
            (&own, &theirs)
        } else {
            (&theirs, &own)
        };
        let mut hasher = blake3::Hasher::new_derive_key("hushml mpc dealt pair secret v1");
        hasher
            .update(low.as_ref())
            .update(high.as_ref())
            .update(name);
        if let Some(secret) = link.pair_secret(other) {
            hasher.update(&secret);
        }
        let mut secrets: Vec<_> = (0..3).map(|_| Zeroizing::new([0u8; 32])).collect();
        secrets[other] = Zeroizing::new(*hasher.finalize().as_bytes());
        random.fill_bytes(secrets[self.server].as_mut());
        secrets[DEALER] = self.secret.clone();
        let link = Replay {
            link,
            tape: self.tape,
            place: 0,
            step: Step::default(),
        };
        Ok(Pond {
            session: Session::with_secrets(Box::new(link), secrets),
            prepared: Vec::new(),
        })
    }

    /// Writes a file that only this user reads; there must be none of that name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> Result<(), MpcError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + self.tape.len() + HASH));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(self.server as u16).to_le_bytes());
        bytes.extend_from_slice(&self.number);
        bytes.extend_from_slice(self.secret.as_ref());
        bytes.extend_from_slice(&self.tape);
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(|error| refused(path, &error))
    }

    /// Reads a file and removes it, so that what was dealt serves once.
    ///
    /// # Errors
    /// If it is not there, damaged, or cannot be removed.
    pub fn take(path: &Path) -> Result<Self, MpcError> {
        let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| refused(path, &error))?);
        let found = Self::from_bytes(&bytes).ok_or_else(|| refused(path, &"it is damaged"))?;
        std::fs::remove_file(path).map_err(|error| refused(path, &error))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::File::open(folder.unwrap_or(Path::new(".")));
        folder
            .and_then(|folder| folder.sync_all())
            .map_err(|error| refused(path, &error))?;
        Ok(found)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, hash) = bytes.split_last_chunk::<HASH>()?;
        if body.len() < HEAD || !body.starts_with(MAGIC) || blake3::hash(body) != *hash {
            return None;
        }
        let (server, rest) = body[MAGIC.len()..].split_first_chunk::<2>()?;
        let (number, rest) = rest.split_first_chunk::<32>()?;
        let (secret, tape) = rest.split_first_chunk::<32>()?;
        let server = usize::from(u16::from_le_bytes(*server));
        (server < DEALER).then(|| Self {
            server,
            number: *number,
            secret: Zeroizing::new(*secret),
            tape: Zeroizing::new(tape.to_vec()),
        })
    }

    /// Bytes of what was dealt, without the seed.
    pub fn bytes(&self) -> usize {
        self.tape.len()
    }
}

fn refused(path: &Path, reason: &dyn std::fmt::Display) -> MpcError {
    MpcError::Stored {
        reason: format!("`{}`: {reason}", path.display()),
    }
}

/// The dealer's link: what goes to server 1 is written down.
struct Recorder {
    sender: std::sync::mpsc::Sender<Vec<u8>>,
    step: Step,
    traffic: Traffic,
}

impl Link for Recorder {
    fn party(&self) -> usize {
        DEALER
    }

    fn parties(&self) -> usize {
        3
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        let closed = LinkError::Closed {
            peer: to,
            step: self.step,
        };
        if to != 1 {
            return Err(closed);
        }
        self.traffic.count_sent(to, bytes.len());
        let message = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
        self.sender.send(message).map_err(|_| closed)
    }

    fn receive(&mut self, from: usize, _: &mut [u8]) -> Result<(), LinkError> {
        Err(LinkError::Closed {
            peer: from,
            step: self.step,
        })
    }

    fn step(&mut self, step: Step) {
        self.step = step;
    }

    fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }
}

/// A server's link: the other server, and the dealer's messages as they were written down.
struct Replay {
    link: Box<dyn Link>,
    tape: Zeroizing<Vec<u8>>,
    place: usize,
    step: Step,
}

impl Link for Replay {
    fn party(&self) -> usize {
        self.link.party()
    }

    fn parties(&self) -> usize {
        3
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        if to == DEALER {
            return Err(LinkError::Closed {
                peer: to,
                step: self.step,
            });
        }
        self.link.send(to, bytes)
    }

    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError> {
        if from != DEALER {
            return self.link.receive(from, into);
        }
        let closed = LinkError::Closed {
            peer: DEALER,
            step: self.step,
        };
        let rest = self.tape.get(self.place..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<8>() else {
            return Err(closed);
        };
        let found = u64::from_le_bytes(*length);
        if found != into.len() as u64 {
            return Err(LinkError::Length {
                peer: DEALER,
                step: self.step,
                expected: into.len(),
                found: usize::try_from(found).unwrap_or(usize::MAX),
            });
        }
        let Some(message) = rest.get(..into.len()) else {
            return Err(closed);
        };
        into.copy_from_slice(message);
        // Words that were used are forgotten.
        let end = self.place + 8 + into.len();
        self.tape[self.place..end].zeroize();
        self.place = end;
        Ok(())
    }

    fn step(&mut self, step: Step) {
        self.step = step;
        self.link.step(step);
    }

    fn traffic(&self) -> Traffic {
        let mut traffic = self.link.traffic();
        traffic.peers.resize(3, Default::default());
        traffic
    }

    fn pair_secret(&self, peer: usize) -> Option<[u8; 32]> {
        (peer != DEALER)
            .then(|| self.link.pair_secret(peer))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::memory;
    use crate::operations::{multiply, relu};
    use crate::{Fixed, Parties, Protocol, Secret};
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    const COUNT: usize = 300;

    /// ReLU of a product, opened to server 0.
    fn program(
        pond: &mut Pond,
        values: Option<(&[f64], &[f64])>,
    ) -> Result<Option<Vec<f64>>, MpcError> {
        let protocol: &mut dyn Protocol<u64> = pond;
        let party = protocol.party();
        let own = |owner: usize| {
            let (x, y) = values?;
            (party == owner).then_some(if owner == 0 { x } else { y })
        };
        let x = Secret::input(protocol, 0, &[COUNT], Fixed::STANDARD, own(0))?;
        let y = Secret::input(protocol, 1, &[COUNT], Fixed::STANDARD, own(1))?;
        let product = multiply(protocol, &x, &y)?;
        relu(protocol, &product)?.reveal(protocol, Parties::one(0))
    }

    #[test]
    fn two_servers_compute_with_what_was_dealt_before() {
        let seed = rand_core::TryRngCore::unwrap_err(rand_core::OsRng).next_u64();
        println!("seed {seed}");
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let mut draw = || -> Vec<f64> {
            let unit = |number: u32| f64::from(number) / f64::from(u32::MAX) * 20.0 - 10.0;
            (0..COUNT).map(|_| unit(random.next_u32())).collect()
        };
        let (x, y) = (draw(), draw());
        let dealt = deal(&mut random, |pond| program(pond, None).map(drop)).unwrap();
        assert!(dealt[0].bytes() == 0 && dealt[1].bytes() > 0);
        let folder = tempfile::tempdir().unwrap();
        let path = |server: usize| folder.path().join(format!("server{server}.dealt"));
        for (server, dealt) in dealt.iter().enumerate() {
            dealt.write(&path(server)).unwrap();
            assert!(dealt.write(&path(server)).is_err(), "written over");
        }
        let opened = memory::run(2, |link| {
            let party = link.party();
            let mut random = ChaCha20Rng::seed_from_u64(seed + 1 + party as u64);
            let dealt = Dealt::take(&path(party)).unwrap();
            let mut pond = dealt.online(Box::new(link), b"test", &mut random).unwrap();
            program(&mut pond, Some((&x, &y))).unwrap()
        });
        assert!(opened[1].is_none());
        for ((found, x), y) in opened[0].as_ref().unwrap().iter().zip(&x).zip(&y) {
            assert!((found - (x * y).max(0.0)).abs() < 1e-3, "{found} {x} {y}");
        }
        // It serves once.
        assert!(Dealt::take(&path(0)).is_err() && Dealt::take(&path(1)).is_err());
    }

    #[test]
    fn what_does_not_belong_together_is_an_error() {
        let mut random = ChaCha20Rng::seed_from_u64(5);
        let mut fresh = || deal(&mut random, |pond| program(pond, None).map(drop)).unwrap();
        let ([first, _], [_, second]) = (fresh(), fresh());
        let dealt = std::sync::Mutex::new([Some(first), Some(second)]);
        let refused = memory::run(2, |link| {
            let mut random = ChaCha20Rng::seed_from_u64(6 + link.party() as u64);
            let own = dealt.lock().unwrap()[link.party()].take().unwrap();
            let begun = own.online(Box::new(link), b"test", &mut random);
            begun.err().unwrap().to_string()
        });
        assert!(
            refused.iter().all(|error| error.contains("another run")),
            "{refused:?}"
        );
        // The tape ends before the program does.
        let dealt = std::sync::Mutex::new(fresh().map(Some));
        let failed = memory::run(2, |link| {
            let party = link.party();
            let mut random = ChaCha20Rng::seed_from_u64(8 + party as u64);
            let own = dealt.lock().unwrap()[party].take().unwrap();
            let mut pond = own.online(Box::new(link), b"test", &mut random).unwrap();
            let values = vec![1.0; COUNT];
            program(&mut pond, Some((&values, &values))).unwrap();
            let again = program(&mut pond, Some((&values, &values)));
            (party == 1).then(|| again.err().map(|error| error.to_string()))
        });
        assert!(
            failed[1]
                .as_ref()
                .unwrap()
                .as_ref()
                .unwrap()
                .contains("party 2"),
            "{failed:?}"
        );
    }

    #[test]
    fn damaged_files_are_refused_and_stay() {
        let mut random = ChaCha20Rng::seed_from_u64(9);
        let [_, dealt] = deal(&mut random, |pond| program(pond, None).map(drop)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dealt");
        dealt.write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in [0, 9, HEAD + 3, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert!(Dealt::take(&path).is_err() && path.exists());
        }
        std::fs::write(&path, &whole[..HEAD - 1]).unwrap();
        assert!(Dealt::take(&path).is_err());
    }
}

//! What travels: never the same mask twice, and nothing to parties that are not named.

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use common::{Random, generator};
use hush_mpc::link::{Link, LinkError, Step, Traffic, memory};
use hush_mpc::operations::{matrix_product, relu};
use hush_mpc::protocol::pond::Pond;
use hush_mpc::protocol::rep3::Rep3;
use hush_mpc::{Fixed, Parties, Protocol, Secret};

/// Notes every word that is sent.
struct Recorder {
    link: memory::MemoryLink,
    words: Arc<Mutex<Vec<u64>>>,
}

impl Link for Recorder {
    fn party(&self) -> usize {
        self.link.party()
    }
    fn parties(&self) -> usize {
        self.link.parties()
    }
    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        let words = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
        self.words.lock().unwrap().extend(words);
        self.link.send(to, bytes)
    }
    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError> {
        self.link.receive(from, into)
    }
    fn step(&mut self, step: Step) {
        self.link.step(step);
    }
    fn traffic(&self) -> Traffic {
        self.link.traffic()
    }
}

/// The same program on the same numbers, twice in each of two sessions; gives the words of each run.
fn transcripts(pond: bool) -> Vec<Vec<u64>> {
    let mut random = Random::new();
    let values = random.floats(-7.0, 7.0, 64);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let marks = memory::run(3, |link| {
            let recorder = Box::new(Recorder {
                link,
                words: sent.clone(),
            });
            let mut random = generator(0);
            let mut rep3;
            let mut sums;
            let protocol: &mut dyn Protocol<u64> = if pond {
                sums = Pond::establish(recorder, b"same", &mut random).unwrap();
                &mut sums
            } else {
                rep3 = Rep3::establish(recorder, b"same", &mut random).unwrap();
                &mut rep3
            };
            let all = Parties::all(3);
            let mut marks = Vec::new();
            for _ in 0..2 {
                let own = (protocol.party() == 1).then_some(&values[..]);
                let x = Secret::input(protocol, 1, &[8, 8], Fixed::new(3, 16), own).unwrap();
                let y = matrix_product(protocol, &x, &x.transpose(&[1, 0]).unwrap()).unwrap();
                let y = relu(protocol, &y).unwrap();
                // Nobody is still in the first run when somebody begins the second.
                y.reveal(protocol, all).unwrap().unwrap();
                marks.push(sent.lock().unwrap().len());
            }
            marks
        });
        let sent = sent.lock().unwrap().clone();
        // The boundary is blurred by parties that run ahead: compare what is safely apart.
        let middle = marks.iter().map(|marks| marks[0]).max().unwrap();
        let begin = marks.iter().map(|marks| marks[0]).min().unwrap();
        runs.push(sent[..begin].to_vec());
        runs.push(sent[middle..].to_vec());
    }
    runs
}

fn no_word_in_common(pond: bool) {
    let runs = transcripts(pond);
    for (index, run) in runs.iter().enumerate() {
        assert!(run.len() > 100);
        for other in &runs[index + 1..] {
            let (mine, theirs): (BTreeSet<u64>, BTreeSet<u64>) = (
                run.iter().copied().collect(),
                other.iter().copied().collect(),
            );
            let common: Vec<_> = mine.intersection(&theirs).collect();
            assert!(common.is_empty(), "words sent in two runs: {common:?}");
        }
    }
}

#[test]
fn two_runs_of_one_program_share_no_word() {
    no_word_in_common(false);
    no_word_in_common(true);
}

#[test]
fn opening_sends_to_the_named_party_alone() {
    let traffic = memory::run(3, |link| {
        let mut random = generator(0);
        let mut protocol = Rep3::establish(Box::new(link), b"open", &mut random).unwrap();
        let own = (protocol.session().party() == 0).then_some(&[1.0, 2.0][..]);
        let x = Secret::<u64>::input(&mut protocol, 0, &[2], Fixed::STANDARD, own).unwrap();
        let before = protocol.session().traffic();
        let opened = x.reveal(&mut protocol, Parties::one(2)).unwrap();
        let after = protocol.session().traffic();
        let received = |traffic: &Traffic| {
            traffic
                .peers
                .iter()
                .map(|peer| peer.bytes_received)
                .sum::<u64>()
        };
        (opened, received(&after) - received(&before))
    });
    assert_eq!(traffic[0], (None, 0));
    assert_eq!(traffic[1], (None, 0));
    assert_eq!(traffic[2], (Some(vec![1.0, 2.0]), 16));
}

#[test]
fn no_quotient_of_a_million_wraps() {
    // Local truncation of shares, as others do it, is wrong by 2^48 about once in 2^15 here.
    let mut random = Random::new();
    let count = 1 << 20;
    let x: Vec<u64> = random.signed(31, count);
    let opened = common::three(|protocol| {
        let protocol: &mut dyn Protocol<u64> = protocol;
        let x = common::share(protocol, 0, &x);
        let square = protocol.multiply_truncate(&x, &x, 16).unwrap();
        common::open(protocol, &square)
    });
    for (x, found) in x.iter().zip(&opened[0]) {
        let exact = i128::from(*x as i64).pow(2);
        let error = (i128::from(*found as i64) << 16) - exact;
        assert!(
            error.abs() < 1 << 16,
            "{} squared gave {}",
            *x as i64,
            *found as i64
        );
    }
}

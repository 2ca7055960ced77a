//! Times links over TLS on loopback: rounds of short messages among three parties, and one long message.
//! `cargo run --release -p hush-mpc --example link_speed`

use std::time::{Duration, Instant};

use hush_mpc::link::Link;
use hush_mpc::link::tls::{Acceptor, Peer, Timing, TlsIdentity, TlsLink};
use zeroize::Zeroizing;

fn main() {
    let identities: Vec<TlsIdentity> = (0..3)
        .map(|_| {
            let made = rcgen::generate_simple_self_signed(["party".to_owned()])
                .expect("a certificate is made");
            let key = Zeroizing::new(made.signing_key.serialize_der());
            TlsIdentity::new(made.cert.der().to_vec(), key)
        })
        .collect();
    let fingerprints: Vec<_> = identities.iter().map(TlsIdentity::fingerprint).collect();
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let acceptors: Vec<Acceptor> = identities
        .iter()
        .map(|identity| Acceptor::listen(anywhere, identity, &fingerprints).expect("it listens"))
        .collect();
    let peers: Vec<Peer> = acceptors
        .iter()
        .zip(&fingerprints)
        .map(|(acceptor, &fingerprint)| Peer {
            address: acceptor.address(),
            fingerprint,
        })
        .collect();
    std::thread::scope(|scope| {
        for party in 0..3 {
            let (peers, identity, acceptor) = (&peers, &identities[party], &acceptors[party]);
            scope.spawn(move || {
                let start = Instant::now();
                let deadline = start + Duration::from_secs(10);
                let link = TlsLink::connect(
                    party,
                    peers,
                    identity,
                    acceptor,
                    &[1; 32],
                    Timing::default(),
                    deadline,
                );
                let mut link = link.expect("the parties connect");
                if party == 0 {
                    println!("connected in {:.1?}", start.elapsed());
                }
                measure(&mut link);
            });
        }
    });
}

fn measure(link: &mut TlsLink) {
    let (party, next, previous) = (link.party(), (link.party() + 1) % 3, (link.party() + 2) % 3);
    for size in [64, 1024, 16 << 10, 64 << 10, 256 << 10] {
        let message = vec![party as u8; size];
        let mut found = vec![0; size];
        let mut least = Duration::MAX;
        for _ in 0..7 {
            let rounds = 500;
            let start = Instant::now();
            for _ in 0..rounds {
                link.send(next, &message).expect("it is sent");
                link.receive(previous, &mut found).expect("it comes");
            }
            least = least.min(start.elapsed() / rounds);
        }
        if party == 0 {
            println!("a round of {size} bytes: {least:.1?}");
        }
    }
    // One way, 0 to 1, and all three at once.
    let message = vec![1; 64 << 20];
    let mut found = vec![0; 64 << 20];
    let mut least = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        match party {
            0 => {
                link.send(1, &message).expect("it is sent");
                link.receive(1, &mut found[..1]).expect("it comes");
            }
            1 => {
                link.receive(0, &mut found).expect("it comes");
                link.send(0, &message[..1]).expect("it is sent");
            }
            _ => {}
        }
        least = least.min(start.elapsed());
    }
    if party == 0 {
        println!(
            "64 MiB one way: {:.2} GB/s",
            message.len() as f64 / least.as_secs_f64() / 1e9
        );
    }
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        link.send(next, &message).expect("it is sent");
        link.receive(previous, &mut found).expect("it comes");
        least = least.min(start.elapsed());
    }
    if party == 0 {
        println!(
            "64 MiB around the ring, all at once: {:.2} GB/s in all",
            3.0 * message.len() as f64 / least.as_secs_f64() / 1e9
        );
    }
}

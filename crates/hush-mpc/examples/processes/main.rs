//! Times computations on shares with three processes over mutual TLS on loopback:
//! `processes RUNS WORK… [--latency MS] [--rate MBIT]`, where WORK is `matmul512`, `mul1m`, `relu1m`, `relu1m33`, `cmp1m`,
//! `network-a` (a step of training 784-128-128-10 on 128 samples), `session` (connections, seeds and agreement), or `lr`,
//! `mlp1`, `mlp128`, `lenet1`, `mlp1-pond` with data and networks in the folder `HUSH_DATA`. All by ABY3, `mlp1-pond` by
//! Pond.
//!
//! Prints one JSON object for each work: all times, bytes of all parties, rounds and the largest error against floats.
//! With a latency or rate, connections go through a proxy.

mod training;
mod work;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hush_mpc::link::tls::{Acceptor, Fingerprint, Peer, Timing, TlsIdentity, TlsLink};
use hush_mpc::protocol::pond::Pond;
use hush_mpc::protocol::rep3::Rep3;
use hush_mpc::{Cost, Protocol};
use hush_testkit::{Line, WideArea};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use work::Measured;
use zeroize::Zeroizing;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "party") {
        return party(&arguments[1..]);
    }
    let (mut line, mut words) = (None, Vec::new());
    let mut rest = arguments.into_iter();
    let number = |text: Option<String>| -> f64 {
        let text = text.expect("a number follows");
        text.parse().expect("it is a number")
    };
    let fast = Line {
        latency: Duration::ZERO,
        bytes_per_second: 1e12,
    };
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--latency" => {
                let milliseconds = number(rest.next());
                let line: &mut Line = line.get_or_insert(fast);
                line.latency = Duration::from_secs_f64(milliseconds / 1e3);
            }
            "--rate" => {
                line.get_or_insert(fast).bytes_per_second = number(rest.next()) * 125e3;
            }
            _ => words.push(word),
        }
    }
    let runs = words.remove(0);
    for work in words {
        measure(&work, &runs, line);
    }
}

/// Three processes for one work.
fn measure(work: &str, runs: &str, line: Option<Line>) {
    let made: Vec<(Vec<u8>, Vec<u8>)> = (0..3)
        .map(|_| {
            let made = rcgen::generate_simple_self_signed(["party".to_owned()])
                .expect("a certificate is made");
            (made.cert.der().to_vec(), made.signing_key.serialize_der())
        })
        .collect();
    let listeners: Vec<TcpListener> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port is free"))
        .collect();
    let own: Vec<SocketAddr> = listeners
        .iter()
        .map(|listener| listener.local_addr().expect("it is bound"))
        .collect();
    drop(listeners);
    let proxies: Vec<WideArea> = line.map_or_else(Vec::new, |line| {
        own.iter()
            .map(|&address| WideArea::to(address, line).expect("a port is free"))
            .collect()
    });
    let reached: Vec<SocketAddr> = if proxies.is_empty() {
        own.clone()
    } else {
        proxies.iter().map(WideArea::address).collect()
    };
    let children: Vec<Child> = (0..3)
        .map(|party| {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            command.args([
                "party",
                work,
                runs,
                &party.to_string(),
                &own[party].to_string(),
            ]);
            command.args([hexadecimal(&made[party].0), hexadecimal(&made[party].1)]);
            for peer in 0..3 {
                let fingerprint = Fingerprint::of(&made[peer].0).to_string();
                command.args([reached[peer].to_string(), fingerprint]);
            }
            let command = command.stdout(Stdio::piped());
            command.spawn().expect("a process starts")
        })
        .collect();
    let outputs: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "a party failed");
            String::from_utf8(output.stdout).expect("it prints text")
        })
        .collect();
    let field = |output: &str, index: usize| -> f64 {
        let fields: Vec<&str> = output.split_whitespace().collect();
        fields[index].parse().expect("a number")
    };
    let bytes: f64 = outputs.iter().map(|output| field(output, 0)).sum();
    let times: Vec<String> = outputs[0]
        .split_whitespace()
        .skip(3)
        .map(str::to_owned)
        .collect();
    println!(
        "{{\"work\": \"{work}\", \"seconds\": [{}], \"bytes\": {bytes}, \"rounds\": {}, \"largest_error\": {:e}}}",
        times.join(", "),
        field(&outputs[0], 1),
        field(&outputs[0], 2),
    );
}

/// One of the three: `WORK RUNS PARTY ADDRESS CERTIFICATE KEY` and address and fingerprint of each party.
fn party(arguments: &[String]) {
    let [work, runs, party, address, certificate, key] = &arguments[..6] else {
        panic!("the parent gives all arguments");
    };
    let party: usize = party.parse().expect("an index");
    let identity = TlsIdentity::new(bytes(certificate), Zeroizing::new(bytes(key)));
    let peers: Vec<Peer> = arguments[6..]
        .chunks(2)
        .map(|pair| Peer {
            address: pair[0].parse().expect("an address"),
            fingerprint: Fingerprint::parse(&pair[1]).expect("a fingerprint"),
        })
        .collect();
    let fingerprints: Vec<Fingerprint> = peers.iter().map(|peer| peer.fingerprint).collect();
    let address = address.parse().expect("an address");
    let acceptor = Acceptor::listen(address, &identity, &fingerprints).expect("it listens");
    let mut random = ChaCha20Rng::from_os_rng();
    let mut session = |number: u8| -> Box<dyn Protocol<u64>> {
        let link = TlsLink::connect(
            party,
            &peers,
            &identity,
            &acceptor,
            &[number; 32],
            Timing::default(),
            Instant::now() + Duration::from_secs(20),
        )
        .expect("all parties connect");
        let link = Box::new(link);
        if work.ends_with("-pond") {
            Box::new(Pond::establish(link, b"processes", &mut random).expect("all parties agree"))
        } else {
            Box::new(Rep3::establish(link, b"processes", &mut random).expect("all parties agree"))
        }
    };
    let runs = runs.parse().expect("a number of runs");
    // The first session brings the parties together.
    let mut protocol = session(0);
    let measured = if work == "session" {
        let timed = |number: usize| {
            let begun = Instant::now();
            session(number as u8 + 1);
            begun.elapsed().as_secs_f64()
        };
        Measured {
            seconds: (0..runs).map(timed).collect(),
            cost: Cost::default(),
            largest_error: 0.0,
        }
    } else {
        work::run(work, runs, &mut *protocol)
    };
    let times: Vec<String> = measured.seconds.iter().map(f64::to_string).collect();
    println!(
        "{} {} {} {}",
        measured.cost.bytes,
        measured.cost.rounds,
        measured.largest_error,
        times.join(" ")
    );
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

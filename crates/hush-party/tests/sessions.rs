//! Parties on one machine: what they agree to, what they refuse, and how they fail.

mod world;

use hush_party::{PartyError, Policy, Role};
use world::{Arithmetic, World, job, program};

#[test]
fn three_parties_multiply_what_one_gives() {
    let world = World::open();
    let outcome = world.propose(job(&["client", "client"])).unwrap();
    assert_eq!(
        outcome.outputs["y"].to::<u64>(),
        [3 * 5, 4 * 6, 7 * 9, 11 * 2]
    );
    assert_eq!(outcome.report, "multiplied 4 words");
    println!(
        "set up in {:?}, all in {:?}",
        outcome.set_up, outcome.elapsed
    );
    // Again: the parties are still there.
    let again = world.propose(job(&["client", "client"])).unwrap();
    assert_eq!(again.outputs, outcome.outputs);
}

#[test]
fn two_owners_and_an_audit_log() {
    let policy = |name: &str| {
        let mut text = "[[allow]]\nprogram = \"product\"\nproposers = [\"client\"]\nreveals = { y = [\"client\"] }\n".to_owned();
        if name == "bob" {
            text.push_str("gives = { b = \"bob.txt\" }\n");
        }
        text
    };
    let world = World::new(policy, Arithmetic::default());
    std::fs::write(world.folder().join("bob.txt"), "10 20 30 40").unwrap();
    let outcome = world.propose(job(&["client", "bob"])).unwrap();
    assert_eq!(outcome.outputs["y"].to::<u64>(), [30, 80, 210, 440]);
    for name in ["server0", "server1", "server2"] {
        let log = world.audit(name);
        let events: Vec<&str> = log
            .iter()
            .map(|event| event["event"].as_str().unwrap())
            .collect();
        assert_eq!(events, ["agreed", "revealed", "finished"], "{name}");
        assert_eq!(log[0]["program"]["name"], "product");
        assert_eq!(log[0]["inputs"][1]["from"], "bob");
        assert_eq!(
            (&log[1]["output"], &log[1]["to"]),
            (&"y".into(), &"client".into())
        );
        assert!(
            log.iter()
                .all(|event| event["session"] == log[0]["session"])
        );
    }
    let bob = world.audit("bob");
    assert_eq!(bob[0]["session"], world.audit("server0")[0]["session"]);
    // Bob's file has another length than the job says.
    std::fs::write(world.folder().join("bob.txt"), "10 20 30").unwrap();
    let error = world.propose(job(&["client", "bob"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bob refuses: its input b has 3 elements, the job says 4"
    );
}

#[test]
fn what_a_policy_does_not_allow_is_refused_and_logged() {
    let policy = |name: &str| {
        let receiver = if name == "server1" { "bob" } else { "client" };
        format!("[[allow]]\nprogram = \"product\"\nreveals = {{ y = [\"{receiver}\"] }}\n")
    };
    let world = World::new(policy, Arithmetic::default());
    let error = world.propose(job(&["client", "client"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "server1 refuses: its policy does not let output y be revealed to client"
    );
    let log = world.audit("server1");
    assert_eq!(log[0]["event"], "refused");
    assert_eq!(
        log[0]["reason"],
        "its policy does not let output y be revealed to client"
    );
    assert!(
        world
            .audit("server0")
            .iter()
            .all(|event| event["event"] != "revealed")
    );
}

#[test]
fn another_view_of_the_parties_is_named() {
    let mut world = World::open();
    // The proposer believes that bob is a data owner too.
    world.change_configuration(|parties| {
        let bob = parties
            .iter_mut()
            .find(|party| party.name == "bob")
            .unwrap();
        bob.roles.push(Role::DataOwner);
    });
    let error = world.propose(job(&["client", "client"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "server0 refuses: client differs in names, fingerprints or roles of the parties; compare both sides' configuration, program and version"
    );
}

#[test]
fn jobs_that_make_no_sense_go_nowhere() {
    let world = World::open();
    let mut wrong = job(&["client", "client"]);
    wrong.servers[1] = "bob".to_owned();
    assert_eq!(
        world.propose(wrong).unwrap_err().to_string(),
        "computing parties of the job: bob has not that role"
    );
    let mut wrong = job(&["client", "client"]);
    wrong.outputs[0].receiver = "server2".to_owned();
    assert!(
        world
            .propose(wrong)
            .unwrap_err()
            .to_string()
            .starts_with("outputs of the job: y belongs to server2")
    );
    let mut wrong = job(&["client", "client"]);
    wrong.fraction_bits = 60;
    assert_eq!(
        world.propose(wrong).unwrap_err().to_string(),
        "fixed point of the job: 15 bits before and 60 behind the point do not fit 64 bits"
    );
    let mut wrong = job(&["client", "nobody"]);
    wrong.ring_bits = 64;
    assert!(matches!(
        world.propose(wrong),
        Err(PartyError::Unknown { .. })
    ));
    // What the program itself says of its inputs counts at each party.
    let mut wrong = job(&["client", "client"]);
    wrong.outputs[0].elements = 5;
    assert_eq!(
        world.propose(wrong).unwrap_err().to_string(),
        "server0 refuses: product of vectors of different lengths"
    );
}

#[test]
fn a_party_that_fails_in_mid_program_is_named_to_everybody() {
    let world = World::new(
        |_| "[[allow]]\nprogram = \"product\"\nreveals = { \"*\" = [\"client\"] }\n".to_owned(),
        Arithmetic {
            fails: Some(2),
            ..Arithmetic::default()
        },
    );
    let error = world.propose(job(&["client", "client"])).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("party server2") || text.starts_with("server2 failed"),
        "{text}"
    );
    for name in ["server0", "server1"] {
        let log = world.audit_until(name, "failed");
        let reason = log.last().unwrap()["reason"].as_str().unwrap().to_owned();
        // From the link or from the proposer, whichever was first.
        assert!(
            reason.contains("party server2 closed the connection at step")
                || reason.starts_with("server2 failed: computing failed:"),
            "{reason}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_a_party_before_it_computes() {
    let world = World::with_audit(
        |_| "[[allow]]\nprogram = \"product\"\nreveals = { \"*\" = [\"client\"] }\n".to_owned(),
        Arithmetic::default(),
        |name| (name == "server1").then(|| "/dev/full".into()),
    );
    let error = world.propose(job(&["client", "client"])).unwrap_err();
    assert!(
        error.to_string().contains("cannot write /dev/full"),
        "{error}"
    );
    assert!(
        world
            .audit("server0")
            .iter()
            .all(|event| event["event"] != "revealed")
    );
}

#[test]
fn a_party_without_its_pinned_identity_does_not_start() {
    let world = World::open();
    let stranger = hush_party::Identity::new("server0").unwrap();
    let error = hush_party::Player::new(
        "server0",
        world.configuration().clone(),
        &stranger,
        Policy::anything(),
        hush_party::audit::AuditLog::none(),
        std::sync::Arc::new(Arithmetic::default()),
        hush_party::PlayerOptions::default(),
    )
    .err()
    .unwrap();
    assert!(matches!(error, PartyError::Fingerprint { .. }));
    assert_eq!(program().name, "product");
}

#[test]
fn who_deals_is_given_nothing_and_shown_nothing() {
    let world = World::open();
    for (protocol, ring_bits) in [("pond", 64), ("securenn", 128)] {
        let mut job = job(&["client", "client"]);
        job.protocol = protocol.to_owned();
        job.ring_bits = ring_bits;
        // A party whose only role is to deal can be the third.
        job.servers[2] = "dealer".to_owned();
        let outcome = world.propose(job).unwrap();
        let expected = world::words(ring_bits, &[3 * 5, 4 * 6, 7 * 9, 11 * 2]);
        assert_eq!(outcome.outputs["y"], expected);
    }
    let events = |name: &str| -> Vec<String> {
        let log = world.audit(name);
        let event = |event: &serde_json::Value| event["event"].as_str().unwrap().to_owned();
        log.iter().map(event).collect()
    };
    assert_eq!(events("dealer"), ["agreed", "finished"].repeat(2));
    assert_eq!(
        events("server0"),
        ["agreed", "revealed", "finished"].repeat(2)
    );
    // It cannot compute where every party holds shares, or in another place.
    let mut wrong = job(&["client", "client"]);
    wrong.servers[2] = "dealer".to_owned();
    assert_eq!(
        world.propose(wrong.clone()).unwrap_err().to_string(),
        "computing parties of the job: dealer has not that role"
    );
    wrong.protocol = "pond".to_owned();
    wrong.servers.rotate_right(1);
    assert!(world.propose(wrong).is_err());
}

#[test]
fn an_output_goes_to_another_party_and_into_its_file() {
    let policy = |name: &str| {
        let mut text = "[[allow]]\nprogram = \"product\"\nreveals = { y = [\"bob\"] }\n".to_owned();
        if name == "bob" {
            text.push_str("receives = { y = \"y.txt\" }\n");
        }
        text
    };
    let world = World::new(policy, Arithmetic::default());
    let mut job = job(&["client", "client"]);
    job.outputs[0].receiver = "bob".to_owned();
    let outcome = world.propose(job).unwrap();
    assert!(outcome.outputs.is_empty());
    let written = std::fs::read_to_string(world.folder().join("y.txt")).unwrap();
    assert_eq!(written, "[15, 24, 63, 22]");
    let log = world.audit("bob");
    assert_eq!(log[1]["event"], "received");
    // What the client is shown is another matter.
    let error = world
        .propose(world::job(&["client", "client"]))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does not let output y be revealed to client")
    );
}

#[test]
fn a_party_that_ends_tells_the_others() {
    for gone in ["bob", "server1"] {
        let policy = |name: &str| {
            let mut text =
                "[[allow]]\nprogram = \"product\"\nreveals = { y = [\"client\"] }\n".to_owned();
            if name == "bob" {
                text.push_str("gives = { b = \"bob.txt\" }\n");
            }
            text
        };
        let endless = Arithmetic {
            endless: true,
            ..Arithmetic::default()
        };
        let world = World::new(policy, endless);
        std::fs::write(world.folder().join("bob.txt"), "10 20 30 40").unwrap();
        let began = std::time::Instant::now();
        let error = std::thread::scope(|scope| {
            let proposing = scope.spawn(|| world.propose(job(&["client", "bob"])).unwrap_err());
            world.audit_until(gone, "agreed");
            world.end(gone);
            proposing.join().unwrap()
        });
        let reason = format!("{gone} failed: it was stopped: whoever runs it ended it");
        assert_eq!(error.to_string(), reason);
        for name in ["server0", "server2", "bob"] {
            if name == gone {
                continue;
            }
            let log = world.audit_until(name, "failed");
            let told = log.last().unwrap()["reason"].as_str().unwrap().to_owned();
            // By the party itself, by another one, or by the link.
            let link = format!("party {gone} gave up at step");
            assert!(
                told.starts_with(&reason) || told.contains(&link),
                "{name}: {told}"
            );
        }
        println!("{gone}: all ended in {:?}", began.elapsed());
        assert!(began.elapsed() < std::time::Duration::from_secs(8));
    }
}

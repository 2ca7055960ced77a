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

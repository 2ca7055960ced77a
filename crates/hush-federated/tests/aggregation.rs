//! Whole aggregations: clients that drop out at every step, servers that lie, messages that were tampered with.

mod world;

use hush_federated::{FederatedError, Settings, SettingsLiteral, message::Kind};
use rand_core::RngCore;
use world::{Leave, World, literal, rng};

#[test]
fn the_sum_is_exact_whoever_drops_out_and_when() {
    let (mut rng, seed) = rng();
    println!("seed {seed}");
    for (clients, neighbours, bits) in [
        (3, 2, 32),
        (4, 3, 1),
        (10, 9, 24),
        (25, 12, 33),
        (31, 9, 64),
        (60, 21, 17),
    ] {
        for round in 0..3 {
            let world = World::new(literal(clients, neighbours, 50, bits), &mut rng);
            // A tenth never takes too many neighbours of anybody; a fifth may.
            let spare = (clients - world.settings.quorum()).min(clients / 10 * round);
            let leave: Vec<(u32, Leave)> = (0..spare)
                .map(|i| {
                    (
                        (i * clients / spare) as u32,
                        Leave::at(rng.next_u32() as usize),
                    )
                })
                .collect();
            match world.run(&leave, &mut rng) {
                Ok(outcome) => {
                    assert_eq!(
                        outcome.words,
                        world.expected(&outcome.survivors),
                        "{clients} clients"
                    );
                    assert_eq!(
                        outcome.survivors.len()
                            + outcome.dropped.len()
                            + leave
                                .iter()
                                .filter(|(_, leave)| *leave == Leave::Announcement)
                                .count(),
                        clients
                    );
                }
                Err(FederatedError::Neighbours { .. }) if round == 2 => {}
                Err(error) => panic!("{clients} clients, {leave:?}: {error}"),
            }
        }
    }
}

#[test]
fn each_step_survives_a_drop_out() {
    let (mut rng, seed) = rng();
    println!("seed {seed}");
    for step in 0..5 {
        let world = World::new(literal(12, 11, 7, 32), &mut rng);
        let outcome = world
            .run(&[(3, Leave::at(step)), (7, Leave::at(step))], &mut rng)
            .unwrap();
        assert_eq!(
            outcome.words,
            world.expected(&outcome.survivors),
            "step {step}"
        );
        // Who leaves after its masked vector arrived is in the sum.
        assert_eq!(outcome.survivors.contains(&3), step >= 3, "step {step}");
    }
}

#[test]
fn too_few_clients_are_a_clear_error() {
    let (mut rng, _) = rng();
    let errors: Vec<String> = (0..5)
        .map(|step| {
            let world = World::new(literal(6, 5, 7, 32), &mut rng);
            let leave = [0, 1].map(|client| (client, Leave::at(step)));
            world.run(&leave, &mut rng).unwrap_err().to_string()
        })
        .collect();
    let expected = |kind| {
        format!(
            "only 4 clients completed the {kind} step, 5 are needed; start again with a larger cohort"
        )
    };
    for (error, kind) in errors[..4].iter().zip([
        Kind::Announcement,
        Kind::Shares,
        Kind::Masked,
        Kind::Consent,
    ]) {
        assert_eq!(*error, expected(kind));
    }
    // At the last step shares decide: four of five neighbours suffice for whoever left, three do not for who stayed.
    assert_eq!(
        errors[4],
        "only 3 of the neighbours of client 2 are left, 4 are needed to remove its mask; start again, with more neighbours or a lower threshold"
    );
}

#[test]
fn a_server_that_tells_two_stories_gets_no_second_secret() {
    let (mut rng, _) = rng();
    let world = World::new(literal(9, 8, 4, 32), &mut rng);
    let (mut clients, mut server) = world.masked(&mut rng);
    let honest = server.close().unwrap();
    // The server claims to half of the clients that client 8 dropped out.
    let lie = world::without_entry(&honest[0].bytes, 8);
    let (mut consented, mut signatures) = (Vec::new(), Vec::new());
    for (index, client) in clients.drain(..8).enumerate() {
        let story = if index < 4 {
            &lie[..]
        } else {
            &honest[0].bytes
        };
        let (client, signature) = client.consent(story).unwrap();
        consented.push(client);
        signatures.push((index as u32, signature));
    }
    // Neither half makes a quorum of seven, and signatures of the other story are refused.
    for (index, client) in consented.into_iter().enumerate() {
        let both = world::consents(&world.settings, &signatures);
        let half: Vec<_> = signatures
            .iter()
            .filter(|(signer, _)| (*signer < 4) == (index < 4))
            .cloned()
            .collect();
        let error = if index % 2 == 0 {
            let error = client.unmask(&both).unwrap_err();
            assert!(matches!(
                error,
                FederatedError::Signature {
                    kind: Kind::Consent,
                    ..
                }
            ));
            continue;
        } else {
            client
                .unmask(&world::consents(&world.settings, &half))
                .unwrap_err()
        };
        assert_eq!(
            error,
            FederatedError::Unavailable {
                kind: Kind::Consents,
                available: 4,
                needed: 7
            }
        );
    }
}

#[test]
fn a_client_answers_for_each_neighbour_once_and_with_one_secret() {
    let (mut rng, _) = rng();
    let world = World::new(literal(6, 5, 4, 32), &mut rng);
    let (mut clients, mut server) = world.masked(&mut rng);
    let survivors = server.close().unwrap();
    let mut consented = Vec::new();
    for (index, client) in clients.drain(..).enumerate() {
        let (client, signature) = client.consent(&survivors[0].bytes).unwrap();
        server.receive(index as u32, &signature).unwrap();
        consented.push(client);
    }
    let consents = server.close().unwrap();
    // `unmask` consumes the client: a second answer is not a program that compiles. What it gives is one share each.
    let answer = consented.remove(0).unmask(&consents[0].bytes).unwrap();
    assert_eq!(answer.len(), 44 + 5 * 32);
    // A list of consents that repeats a signature to look like a quorum is refused.
    let forged = world::repeat_first_entry(&consents[0].bytes, 68);
    let error = consented.remove(0).unmask(&forged).unwrap_err();
    assert!(matches!(error, FederatedError::Inconsistent { .. }));
}

#[test]
fn lies_about_the_cohort_are_noticed() {
    let (mut rng, _) = rng();
    let world = World::new(literal(6, 5, 4, 32), &mut rng);
    let (clients, server) = world.announced(&mut rng);
    let mut server = server;
    let roster = server.close().unwrap()[0].bytes.to_vec();
    let mut clients = clients.into_iter();
    let mut refuse = |roster: &[u8]| {
        let mut rng = world::rng().0;
        clients
            .next()
            .unwrap()
            .share(roster, &mut rng)
            .err()
            .unwrap()
    };
    // Another key for client 2 (entries of 164 bytes after 48).
    let mut changed = roster.clone();
    changed[48 + 2 * 164 + 10] ^= 1;
    assert_eq!(
        refuse(&changed),
        FederatedError::Signature {
            client: 2,
            kind: Kind::Announcement
        }
    );
    // Without client 1 itself.
    let missing = world::without_entry_of(&roster, 1, 164);
    assert!(matches!(
        refuse(&missing),
        FederatedError::Inconsistent {
            client: 1,
            kind: Kind::Roster,
            ..
        }
    ));
    // Four clients only.
    let few = world::without_entry_of(&world::without_entry_of(&roster, 0, 164), 1, 164);
    assert!(matches!(
        refuse(&few),
        FederatedError::Unavailable {
            available: 4,
            needed: 5,
            ..
        }
    ));
    // A cut message, and one of another session.
    assert!(matches!(
        refuse(&roster[..roster.len() - 1]),
        FederatedError::Length { .. }
    ));
    let mut other = roster.clone();
    other[20] ^= 1;
    assert_eq!(refuse(&other), FederatedError::Session { client: 4 });
}

#[test]
fn the_server_refuses_what_is_late_repeated_or_in_anothers_name() {
    let (mut rng, _) = rng();
    let world = World::new(literal(6, 5, 4, 32), &mut rng);
    let (_, mut server, messages) = world.announcing(&mut rng);
    for (index, message) in messages[..5].iter().enumerate() {
        server.receive(index as u32, message).unwrap();
    }
    assert_eq!(
        server.receive(0, &messages[0]).unwrap_err().to_string(),
        "client 0 sent its announcement message twice"
    );
    assert_eq!(
        server.receive(5, &messages[0]).unwrap_err().to_string(),
        "client 5 sent a message in the name of client 0"
    );
    assert_eq!(
        server.receive(6, &messages[0]).unwrap_err().to_string(),
        "client 6 is not in the directory of 6 clients"
    );
    let mut forged = messages[5].clone();
    forged[50] ^= 4;
    assert!(matches!(
        server.receive(5, &forged),
        Err(FederatedError::Signature { client: 5, .. })
    ));
    server.close().unwrap();
    assert_eq!(
        server.receive(5, &messages[5]).unwrap_err().to_string(),
        "the announcement message of client 5 is late: that step is over"
    );
    assert!(matches!(
        server.receive(5, b"HFSA"),
        Err(FederatedError::Unexpected { .. })
    ));
}

#[test]
fn tampered_messages_never_panic_and_never_change_the_sum() {
    let (mut rng, seed) = rng();
    println!("seed {seed}");
    for _ in 0..40 {
        let world = World::new(literal(5, 4, 9, 20), &mut rng);
        // One bit of one message of one client at each step but the masked vector itself flips on its way.
        match world.run_tampered(&mut rng) {
            Ok(outcome) => assert_eq!(outcome.words, world.expected(&outcome.survivors)),
            Err(
                FederatedError::Unavailable { .. }
                | FederatedError::Neighbours { .. }
                | FederatedError::Reconstruction { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_masked_vector_says_nothing_by_itself() {
    let (mut rng, _) = rng();
    let world = World::with_words(literal(4, 3, 4000, 8), |_, _| 0, &mut rng);
    let vectors = world.masked_vectors(&mut rng);
    for vector in vectors {
        let mut counts = [0usize; 256];
        vector[44..]
            .iter()
            .for_each(|&byte| counts[usize::from(byte)] += 1);
        // 15.6 expected; a word that shone through would stand out.
        assert!(counts.iter().all(|&count| count < 60), "{counts:?}");
    }
}

#[test]
fn settings_must_agree() {
    let (mut rng, _) = rng();
    let world = World::new(literal(6, 5, 4, 32), &mut rng);
    let (_, _, messages) = world.announcing(&mut rng);
    let other = Settings::new(SettingsLiteral {
        bits: 31,
        ..literal(6, 5, 4, 32)
    })
    .unwrap();
    let mut server = hush_federated::server::Server::new(&other, &world.directory);
    // The same session name, but the signature covers all settings.
    assert!(server.receive(0, &messages[0]).is_err());
}

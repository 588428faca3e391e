//! The decision against a simulated network: the promises of the crate's documentation, one test each, then all of
//! them at once under any trouble that proptest thinks of.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a test from end to end"
)]

mod world;

use failover::{Footing, Loss, Notice, Refusal, ServerId, Settings};
use proptest::prelude::*;

use world::{Fault, MS, SECOND, SimServer, World};

fn servers(count: u32) -> Vec<SimServer> {
    (0..count).map(|id| SimServer::new(id, MS)).collect()
}

fn steady(count: u32, seed: u64) -> World {
    let mut world = World::new(servers(count), Settings::default(), seed);
    world.load(8, 4 * MS);
    world.run(5 * SECOND);
    assert_eq!(world.warm(), count.min(2) as usize);
    world.longest_wait = MS.saturating_sub(MS);
    world
}

fn is_still_reading(world: &mut World) {
    let before = world.answered;
    world.run(SECOND);
    assert!(world.answered > before + 100, "reads go on");
}

#[test]
fn reads_go_to_the_first_server_of_the_ranking_and_a_second_is_kept_warm() {
    let world = steady(3, 1);
    assert_eq!(world.current(), Some(ServerId(0)));
    assert_eq!(world.view().servers[1].state, "warm");
    assert_eq!(world.view().servers[2].state, "waiting");
}

#[test]
fn a_killed_server_costs_no_more_than_asking_again() {
    for seed in 0..20 {
        let mut world = steady(2, seed);
        world.inflict(0, Fault::Kill);
        world.run(SECOND);
        assert_eq!(world.failed, 0);
        assert!(
            world.longest_wait <= 10 * MS,
            "seed {seed}: {:?}",
            world.longest_wait
        );
        is_still_reading(&mut world);
    }
}

#[test]
fn a_hanging_server_costs_a_quarter_of_a_second() {
    for seed in 0..20 {
        let mut world = steady(2, seed);
        world.inflict(0, Fault::Hang);
        world.run(SECOND);
        assert!(
            world.longest_wait <= 250 * MS,
            "seed {seed}: {:?}",
            world.longest_wait
        );
        assert_eq!(world.current(), Some(ServerId(1)));
        is_still_reading(&mut world);
        world.run(2 * SECOND);
        assert!(
            world
                .notices
                .contains(&Notice::Lost(ServerId(0), Loss::Hung))
        );
    }
}

#[test]
fn a_server_that_hung_serves_again_only_after_it_answered_a_probe() {
    let mut world = steady(2, 3);
    world.inflict(0, Fault::Hang);
    world.run(10 * SECOND);
    assert_ne!(world.view().servers[0].state, "warm");
    world.inflict(0, Fault::Heal);
    world.run(10 * SECOND);
    assert_eq!(world.warm(), 2);
    assert_eq!(
        world.current(),
        Some(ServerId(1)),
        "coming back is no reason to move"
    );
}

#[test]
fn a_drained_server_is_left_without_a_stall() {
    for seed in 0..20 {
        let mut world = steady(2, seed);
        world.inflict(0, Fault::Drain);
        world.run(5 * SECOND);
        assert!(
            world.longest_wait <= 10 * MS,
            "seed {seed}: {:?}",
            world.longest_wait
        );
        assert!(world.notices.contains(&Notice::Left(ServerId(0))));
        world.inflict(0, Fault::Heal);
        world.run(10 * SECOND);
        assert_eq!(world.warm(), 2);
    }
}

#[test]
fn a_client_that_is_asked_to_move_stays_until_it_can_read_elsewhere() {
    for seed in 0..20 {
        let mut world = steady(3, seed);
        let ServerId(first) = world.current().expect("a steady client reads somewhere");
        world.inflict(first as usize, Fault::AskToMove);
        world.run(3 * SECOND);
        let asked = Notice::AskedToMove(ServerId(first));
        let times = world.notices.iter().filter(|notice| **notice == asked);
        assert_eq!(times.count(), 1, "said once, not at each heartbeat");
        assert_eq!(
            world.current(),
            Some(ServerId(first)),
            "it is not told where"
        );
        world.move_to(2);
        world.run(3 * SECOND);
        assert_eq!(world.current(), Some(ServerId(2)));
        assert_eq!(world.warm(), 2, "the third connection is closed again");
        assert!(
            world.longest_wait <= 10 * MS,
            "seed {seed}: {:?}",
            world.longest_wait
        );
        world.run(60 * SECOND);
        assert_eq!(world.current(), Some(ServerId(2)), "it does not go back");
    }
}

#[test]
fn a_move_to_a_server_that_is_away_changes_nothing() {
    for fault in [Fault::Kill, Fault::Drain, Fault::Hang] {
        let mut world = steady(3, 1);
        world.inflict(2, fault);
        world.move_to(2);
        world.run(20 * SECOND);
        assert_eq!(world.current(), Some(ServerId(0)), "{fault:?}");
        assert_eq!(world.failed, 0);
        is_still_reading(&mut world);
        world.inflict(2, Fault::Heal);
        world.run(60 * SECOND);
        assert_eq!(
            world.current(),
            Some(ServerId(0)),
            "the wish has lapsed: {fault:?}"
        );
    }
}

#[test]
fn a_client_that_is_not_moved_is_reminded() {
    let mut world = steady(2, 1);
    world.inflict(0, Fault::AskToMove);
    world.run(70 * SECOND);
    let asked = Notice::AskedToMove(ServerId(0));
    let times = world.notices.iter().filter(|notice| **notice == asked);
    assert_eq!(times.count(), 3);
    world.inflict(0, Fault::Heal);
    world.inflict(1, Fault::AskToMove);
    world.run(60 * SECOND);
    assert!(
        !world.notices.contains(&Notice::AskedToMove(ServerId(1))),
        "said of a spare it means nothing"
    );
}

#[test]
fn the_only_server_is_used_though_it_drains() {
    let mut world = steady(1, 1);
    world.inflict(0, Fault::Drain);
    world.run(3 * SECOND);
    is_still_reading(&mut world);
}

#[test]
fn a_stopping_server_is_left_at_once() {
    let mut world = steady(2, 1);
    world.inflict(0, Fault::Stop);
    world.run(SECOND);
    assert_eq!(world.failed, 0);
    assert!(world.longest_wait <= 10 * MS, "{:?}", world.longest_wait);
    is_still_reading(&mut world);
}

#[test]
fn who_drains_and_is_the_only_one_that_is_left_makes_the_client_ask_for_others() {
    for seed in 0..20 {
        let mut world = steady(2, seed);
        let is_cornered = |world: &World| world.notices.contains(&Notice::Cornered);
        assert_eq!(world.client.footing(), Footing::Firm);
        // Its list was made while the other one was away.
        world.client.set_servers(world.now, &[ServerId(0)]);
        world.run(2 * SECOND);
        assert_eq!(world.client.footing(), Footing::Alone);
        assert!(!is_cornered(&world));
        world.inflict(0, Fault::Drain);
        world.run(2 * SECOND);
        assert_eq!(world.client.footing(), Footing::Lost);
        assert!(is_cornered(&world));
        world
            .client
            .set_servers(world.now, &[ServerId(1), ServerId(0)]);
        world.run(2 * SECOND);
        assert_eq!(world.current(), Some(ServerId(1)));
        assert_eq!((world.failed, world.view().servers[1].in_flight), (0, 0));
        assert_eq!(world.client.footing(), Footing::Alone);
        is_still_reading(&mut world);
    }
}

#[test]
fn a_server_with_other_bytes_is_refused_for_good() {
    let mut list = servers(3);
    list[0] = list[0].clone().with_wrong_root();
    let mut world = World::new(list, Settings::default(), 1);
    world.load(8, 4 * MS);
    world.run(60 * SECOND);
    assert_eq!(world.warm(), 2);
    let refusals = world
        .notices
        .iter()
        .filter(|notice| **notice == Notice::Refused(ServerId(0), Refusal::WrongRoot));
    assert_eq!(refusals.count(), 1);
    assert_eq!(world.view().servers[0].state, "refused");
}

#[test]
fn with_no_server_it_waits_for_an_hour_and_goes_on() {
    let mut world = steady(2, 1);
    world.inflict(0, Fault::Kill);
    world.inflict(1, Fault::Hang);
    world.run(3600 * SECOND);
    assert_eq!((world.failed, world.unanswered()), (0, 8));
    assert!(world.notices.contains(&Notice::NoServer));
    world.inflict(1, Fault::Heal);
    world.run(8 * SECOND);
    is_still_reading(&mut world);
}

#[test]
fn a_connection_that_the_network_forgot_is_left_though_nobody_says_so() {
    for seed in 0..20 {
        let mut world = steady(1, seed);
        world.inflict(0, Fault::Cut);
        world.inflict(0, Fault::Heal);
        world.run(10 * SECOND);
        assert!(
            world
                .notices
                .contains(&Notice::Lost(ServerId(0), Loss::Hung))
        );
        assert_eq!(world.failed, 0);
        is_still_reading(&mut world);
    }
}

#[test]
fn a_network_that_swallows_every_attempt_to_connect_is_tried_again_when_it_is_well() {
    for seed in 0..20 {
        let mut world = steady(2, seed);
        world.inflict(0, Fault::Cut);
        world.inflict(1, Fault::Cut);
        world.run(600 * SECOND);
        assert_eq!((world.failed, world.unanswered()), (0, 8));
        world.inflict(1, Fault::Heal);
        world.run(8 * SECOND);
        is_still_reading(&mut world);
    }
}

#[test]
fn a_client_whose_timers_are_always_late_leaves_a_server_that_hangs_all_the_same() {
    for (count, late_by) in [(1, 60), (2, 60), (1, 2000), (2, 2000)] {
        let mut world = steady(count, 1);
        world.late_by = late_by * MS;
        world.inflict(0, Fault::Hang);
        world.run(30 * SECOND);
        let hung = Notice::Lost(ServerId(0), Loss::Hung);
        assert!(world.notices.contains(&hung), "{late_by} ms, {count}");
        if count == 2 {
            assert_eq!(world.current(), Some(ServerId(1)), "{late_by} ms");
            is_still_reading(&mut world);
        }
    }
}

#[test]
fn an_error_of_one_server_is_answered_by_another_even_one_that_was_never_needed() {
    let mut world = steady(3, 1);
    world.inflict(0, Fault::Fail);
    world.inflict(1, Fault::Fail);
    world.run(5 * SECOND);
    assert_eq!(world.failed, 0);
    is_still_reading(&mut world);
}

#[test]
fn a_read_fails_only_after_every_server_failed_it_for_the_whole_patience() {
    let mut settings = Settings::default();
    settings.error_patience = Some(30 * SECOND);
    let mut world = World::new(servers(2), settings, 1);
    world.load(1, 4 * MS);
    world.run(5 * SECOND);
    world.inflict(0, Fault::Fail);
    world.inflict(1, Fault::Fail);
    world.run(29 * SECOND);
    assert_eq!(world.failed, 0);
    world.run(8 * SECOND);
    assert_eq!(world.failed, 1);
    world.inflict(1, Fault::Heal);
    world.run(8 * SECOND);
    assert_eq!(world.failed, 1);
    is_still_reading(&mut world);
}

#[test]
fn two_alike_servers_are_no_reason_to_move() {
    for seed in 0..4 {
        let mut world = steady(2, seed);
        world.lost_per_mille = 1;
        world.load(16, 10 * MS);
        world.run(120 * SECOND);
        let moves = world.view().counters.moves;
        assert_eq!(moves, 0, "seed {seed}");
    }
}

#[test]
fn a_server_that_became_far_is_left_once_and_for_all() {
    let list = vec![SimServer::new(0, 4 * MS), SimServer::new(1, 4 * MS)];
    let mut world = World::new(list, Settings::default(), 1);
    world.load(1, 50 * MS);
    world.run(30 * SECOND);
    let before = world.view().counters.moves;
    world.inflict(0, Fault::Slow);
    world.run(60 * SECOND);
    assert_eq!(world.current(), Some(ServerId(1)));
    world.inflict(0, Fault::Heal);
    world.run(300 * SECOND);
    assert_eq!(world.current(), Some(ServerId(1)));
    assert_eq!(world.view().counters.moves, before + 1);
}

#[test]
fn a_machine_that_slept_blames_no_server() {
    let mut world = steady(2, 1);
    world.sleep(600 * SECOND);
    world.run(5 * SECOND);
    assert_eq!(world.view().counters.ejections, 0);
    assert_eq!(world.view().counters.losses, 0);
    is_still_reading(&mut world);
}

#[test]
fn a_new_ranking_moves_reads_away_from_servers_that_are_gone_from_it() {
    let mut world = steady(3, 1);
    world
        .client
        .set_servers(world.now, &[ServerId(2), ServerId(1)]);
    world.run(5 * SECOND);
    assert_ne!(world.current(), Some(ServerId(0)));
    assert_eq!(world.warm(), 2);
    assert_eq!(world.view().servers.len(), 2);
    assert_eq!(world.failed, 0);
}

#[test]
fn more_reads_than_the_limit_are_not_taken() {
    let mut settings = Settings::default();
    settings.max_reads = 4;
    let mut world = World::new(servers(1), settings, 1);
    for _ in 0..4 {
        world.client.read(world.now, 0, 512).unwrap();
    }
    let refused = world.client.read(world.now, 0, 512).unwrap_err();
    assert_eq!(refused.limit, 4);
}

/// Each case is minutes of simulated time; `CORRAL_SIMULATIONS=2000` for a long look.
fn cases() -> u32 {
    std::env::var("CORRAL_SIMULATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(24)
}

fn trouble() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Kill),
        Just(Fault::Hang),
        Just(Fault::Drain),
        Just(Fault::Stop),
        Just(Fault::Fail),
        Just(Fault::Reset),
        Just(Fault::Cut),
        Just(Fault::Slow),
        Just(Fault::Heal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever happens to whichever server: each read is answered once with its own bytes (the world asserts it), none
    /// fails, and when the trouble is over two connections are warm again and everything is answered.
    #[test]
    fn survives_any_trouble(
        seed in any::<u64>(),
        count in 1_u32..5,
        has_wrong_one in any::<bool>(),
        depth in 1_usize..64,
        lost_per_mille in 0_u64..20,
        troubles in prop::collection::vec((0_u64..3000, 0_usize..4, trouble()), 0..24),
    ) {
        let mut list = servers(count);
        if has_wrong_one && count > 1 {
            list[1] = list[1].clone().with_wrong_root();
        }
        let good = list.iter().filter(|server| server.has_right_root).count();
        let mut world = World::new(list, Settings::default(), seed);
        world.lost_per_mille = lost_per_mille;
        world.load(depth, 4 * MS);
        for (after_ms, server, fault) in troubles {
            world.run(after_ms as u32 * MS);
            world.inflict(server % count as usize, fault);
        }
        for server in 0..count as usize {
            world.inflict(server, Fault::Heal);
        }
        world.run(60 * SECOND);
        prop_assert_eq!(world.failed, 0);
        prop_assert_eq!(world.warm(), good.min(2));
        world.load(0, MS);
        world.run(10 * SECOND);
        prop_assert_eq!(world.unanswered(), 0);
    }

    /// As long as the second server is well, the first may do what it likes: no read waits for a second.
    #[test]
    fn one_good_server_is_enough(
        seed in any::<u64>(),
        troubles in prop::collection::vec((0_u64..2000, trouble()), 1..24),
    ) {
        let mut world = steady(2, seed);
        for (after_ms, fault) in troubles {
            world.run(after_ms as u32 * MS);
            world.inflict(0, fault);
        }
        world.run(5 * SECOND);
        prop_assert_eq!(world.failed, 0);
        prop_assert!(world.longest_wait < SECOND, "{:?}", world.longest_wait);
    }
}

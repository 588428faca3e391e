//! A disk that changes, against a server whose cache can be lost: each promise by itself, then all of them under any trouble that
//! proptest thinks of.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod world;

use failover::writable::{Notice, Settings};
use proptest::prelude::*;

use world::{Fault, MS, SECOND, World};

fn steady(settings: Settings, seed: u64) -> World {
    let mut world = World::new(settings, seed);
    world.load(6);
    world.run(2 * SECOND);
    assert!(world.finished > 100, "{}", world.finished);
    world
}

/// Everything is well again: it all ends, and the disk holds what the device was told that it holds.
fn ends_well(world: &mut World) {
    world.inflict(Fault::Heal);
    world.settle();
    world.assert_everything_is_safe();
    world.read_everything();
}

#[test]
fn what_is_written_is_read_and_is_made_safe_by_itself() {
    let mut world = steady(Settings::default(), 1);
    ends_well(&mut world);
    assert!(world.failures.is_empty());
    assert!(world.client.view().counters.own_flushes > 0);
}

#[test]
fn a_server_that_loses_power_costs_nothing_that_was_answered() {
    for seed in 0..50 {
        let mut world = steady(Settings::default(), seed);
        for _ in 0..5 {
            world.inflict(Fault::PowerLoss);
            world.run(300 * MS);
            world.inflict(Fault::Heal);
            world.run(3 * SECOND);
        }
        ends_well(&mut world);
        assert!(
            world.failures.is_empty(),
            "seed {seed}: {:?}",
            world.failures
        );
        assert!(world.client.view().counters.replayed > 0);
    }
}

#[test]
fn power_that_goes_in_the_middle_of_a_replay_costs_nothing_either() {
    for seed in 0..50 {
        let mut world = steady(Settings::default(), seed);
        for _ in 0..10 {
            world.inflict(Fault::PowerLoss);
            world.inflict(Fault::Heal);
            world.run(155 * MS);
        }
        ends_well(&mut world);
        assert!(world.failures.is_empty());
    }
}

#[test]
fn a_server_that_hangs_is_left_and_asked_again() {
    let mut world = steady(Settings::default(), 3);
    world.inflict(Fault::Hang);
    world.run(20 * SECOND);
    let lost = |notice: &Notice| matches!(notice, Notice::Lost(failover::Loss::Hung));
    assert!(world.notices.iter().any(lost));
    ends_well(&mut world);
    assert!(world.failures.is_empty());
}

#[test]
fn a_connection_that_the_network_forgot_is_left_though_nobody_says_so() {
    for seed in 0..20 {
        let mut world = steady(Settings::default(), seed);
        world.inflict(Fault::Cut);
        world.inflict(Fault::Heal);
        world.run(10 * SECOND);
        let lost = |notice: &Notice| matches!(notice, Notice::Lost(failover::Loss::Hung));
        assert!(world.notices.iter().any(lost));
        assert!(world.client.away_for(world.now).is_none());
        ends_well(&mut world);
        assert!(world.failures.is_empty());
    }
}

#[test]
fn a_network_that_swallows_every_attempt_to_connect_is_tried_again_when_it_is_well() {
    for seed in 0..20 {
        let mut world = steady(Settings::default(), seed);
        world.inflict(Fault::Cut);
        world.run(600 * SECOND);
        world.inflict(Fault::Heal);
        world.run(16 * SECOND);
        assert!(world.client.away_for(world.now).is_none(), "seed {seed}");
        ends_well(&mut world);
        assert!(world.failures.is_empty());
    }
}

#[test]
fn a_client_whose_timers_are_always_late_leaves_a_server_that_hangs_all_the_same() {
    for late_by in [60 * MS, 2 * SECOND] {
        let mut world = steady(Settings::default(), 9);
        world.late_by = late_by;
        world.inflict(Fault::Hang);
        world.run(30 * SECOND);
        let lost = |notice: &Notice| matches!(notice, Notice::Lost(failover::Loss::Hung));
        assert!(world.notices.iter().any(lost), "{late_by:?}");
        ends_well(&mut world);
        assert!(world.failures.is_empty());
    }
}

#[test]
fn without_a_limit_operations_wait_for_days() {
    let mut world = steady(Settings::default(), 4);
    world.inflict(Fault::Kill);
    world.run(SECOND);
    world.load(0);
    world.run(2 * 24 * 3600 * SECOND);
    assert!(world.failures.is_empty());
    ends_well(&mut world);
    assert!(world.longest_wait > 24 * 3600 * SECOND);
}

#[test]
fn with_a_limit_they_fail_after_it_and_not_before_and_the_journal_is_kept() {
    let mut settings = Settings::default();
    settings.outage_limit = Some(30 * SECOND);
    let mut world = steady(settings, 5);
    world.inflict(Fault::PowerLoss);
    world.run(29 * SECOND);
    assert!(world.failures.is_empty());
    world.run(10 * SECOND);
    assert!(!world.failures.is_empty());
    assert!(world.notices.contains(&Notice::OutageTooLong));
    ends_well(&mut world);
}

#[test]
fn no_space_fails_that_write_and_is_not_tried_again() {
    let mut world = steady(Settings::default(), 6);
    world.inflict(Fault::Full);
    world.run(SECOND);
    assert!(world.failures.iter().all(|error| *error == 28));
    assert!(world.failures.len() > 20);
    ends_well(&mut world);
}

#[test]
fn a_journal_that_cannot_be_made_safe_takes_no_more_and_says_so() {
    let mut settings = Settings::default();
    settings.journal_bytes = 300_000;
    let mut world = steady(settings, 7);
    world.inflict(Fault::FlushFails);
    world.run(20 * SECOND);
    assert!(world.stuck > 0);
    let fails = |notice: &Notice| matches!(notice, Notice::FlushFails { .. });
    assert!(world.notices.iter().any(fails));
    ends_well(&mut world);
    assert!(world.failures.iter().all(|error| *error == 5));
}

#[test]
fn a_server_that_stops_is_asked_again() {
    let mut world = steady(Settings::default(), 8);
    world.inflict(Fault::Stop);
    world.run(5 * SECOND);
    world.inflict(Fault::Refuse);
    world.run(30 * SECOND);
    let refusals = world
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::Refused(_)));
    assert_eq!(refusals.count(), 1, "told once");
    ends_well(&mut world);
    assert!(world.failures.is_empty());
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::PowerLoss),
        2 => Just(Fault::Kill),
        2 => Just(Fault::Reset),
        1 => Just(Fault::Hang),
        1 => Just(Fault::Cut),
        1 => Just(Fault::Stop),
        1 => Just(Fault::Refuse),
        1 => Just(Fault::Full),
        1 => Just(Fault::FlushFails),
        3 => Just(Fault::Heal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_nothing_that_was_answered_is_lost(
        seed in any::<u64>(),
        depth in 1_usize..12,
        small in any::<bool>(),
        faults in prop::collection::vec((fault(), 1_u32..1500), 1..16),
    ) {
        let mut settings = Settings::default();
        if small {
            settings.journal_bytes = 200_000;
            settings.window = 3;
        }
        let mut world = World::new(settings, seed);
        world.load(depth);
        for (fault, time) in faults {
            world.run(MS * time);
            world.inflict(fault);
        }
        world.run(SECOND);
        ends_well(&mut world);
    }
}

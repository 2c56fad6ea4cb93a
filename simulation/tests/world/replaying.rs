//! What an exploration prints about a failure replays that failure.

use ropewalk_simulation::{Exploration, FaultKind, World};
use std::env;
use std::process::Command;
use std::time::Duration;

/// Fails if a node has crashed and some segments were lost before.
fn explore() {
    let exploration = Exploration::new(0..100).faults(FaultKind::ALL, 12);
    exploration.length(Duration::from_secs(10)).run(2, |world: &mut World, plan, length| {
        world.add_node("server", |_| Ok(()));
        world.add_node("client", |_| Ok(()));
        world.add_faults(plan);
        world.run_for(length);
        let has = |kind| plan.iter().any(|planned| planned.fault.kind == kind);
        println!("played {} faults for {length:?}", plan.len());
        match has(FaultKind::Crash) && has(FaultKind::Loss) {
            true => Err("a crash and a loss".to_owned()),
            false => Ok(()),
        }
    });
}

#[test]
#[ignore = "it fails: the test below has it played"]
fn fixture() {
    explore();
}

/// What the fixture prints with these settings.
fn play(settings: &str) -> String {
    let settings = settings.split_whitespace().filter_map(|setting| setting.split_once('='));
    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "replaying::fixture", "--nocapture"])
        .env_remove("ROPEWALK_SEEDS")
        .envs(settings)
        .output()
        .unwrap();
    assert!(!output.status.success());
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
}

#[test]
fn the_printed_settings_replay_what_was_shrunk() {
    let settings = |text: &str| {
        let (_, settings) = text.split_once("run this test alone with ").expect("settings");
        settings.lines().next().unwrap().to_owned()
    };
    let first = play("");
    assert!(first.contains("a crash and a loss") && first.contains("with 2 of "), "{first}");
    let printed = settings(&first);
    let second = play(&printed);
    let played = second.lines().find(|line| line.starts_with("played")).unwrap();
    assert!(played.starts_with("played 2 faults for "), "{second}");
    assert!(second.contains("FAULT crash") && second.contains("FAULT loss"), "{second}");
    assert!(second.contains(": a crash and a loss\n"), "{second}");
    let again = settings(&second);
    let faults = |settings: &str| settings.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(faults(&again), faults(&printed), "the places are those of the whole plan");
}

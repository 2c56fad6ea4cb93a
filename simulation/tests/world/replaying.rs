//! The report of a failed exploration reproduces the failure.

use ropewalk_simulation::{Exploration, FaultKind, World};
use std::env;
use std::process::Command;
use std::time::Duration;

/// Fails if a node has crashed and segments were lost.
fn explore() {
    let exploration = Exploration::new(0..100).faults(FaultKind::ALL, 12);
    exploration.length(Duration::from_secs(10)).run(2, |world: &mut World, plan, length| {
        world.add_node("server", |_| Ok(()));
        world.add_node("client", |_| Ok(()));
        world.add_faults(plan);
        world.run_for(length);
        let add_fault = |kind| plan.iter().any(|planned| planned.fault.kind == kind);
        println!("played {} faults for {length:?}", plan.len());
        match add_fault(FaultKind::Crash) && add_fault(FaultKind::Loss) {
            true => Err("a crash and a loss".to_owned()),
            false => Ok(()),
        }
    });
}

#[test]
#[ignore = "it fails: the test below runs it"]
fn fixture() {
    explore();
}

/// Returns the output of the fixture with these settings.
fn run(settings: &str) -> String {
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
fn the_printed_settings_reproduce_the_failure() {
    let settings = |text: &str| {
        let (_, settings) = text.split_once("run this test alone with ").expect("settings");
        settings.lines().next().unwrap().to_owned()
    };
    let first = run("");
    assert!(first.contains("a crash and a loss") && first.contains("with 2 of "), "{first}");
    let printed = settings(&first);
    let second = run(&printed);
    let played = second.lines().find(|line| line.starts_with("played")).unwrap();
    assert!(played.starts_with("played 2 faults for "), "{second}");
    assert!(second.contains("FAULT crash") && second.contains("FAULT loss"), "{second}");
    assert!(second.contains(": a crash and a loss\n"), "{second}");
    let again = settings(&second);
    let faults = |settings: &str| settings.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(faults(&again), faults(&printed), "the indices are those of the whole plan");
}

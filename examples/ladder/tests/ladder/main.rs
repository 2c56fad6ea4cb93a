//! The ladder: each step has a bug, which the next step does not have. The programs are run as child processes.
#![cfg(target_os = "linux")]
#![allow(dead_code)] // The later steps use it.

mod client;
mod scenes;
mod server;
mod size;

use crate::scenes::Scene;
use crate::server::STEPS;
use std::thread;

/// Plays a scene with a step, which must fail, and with all later steps, which must not.
#[track_caller]
fn is_the_bug_of(step: usize, scene: Scene) {
    let (broken, cured) = (STEPS[step - 1], &STEPS[step..]);
    println!("step {step} fails: {}", scene(broken).expect_err("step has no such bug"));
    thread::scope(|scope| {
        let later: Vec<_> =
            cured.iter().map(|program| (program, scope.spawn(move || scene(program)))).collect();
        for (program, played) in later {
            if let Err(failure) = played.join().unwrap() {
                panic!("{program}: {failure}");
            }
        }
    });
}

#[test]
fn second_client_is_served_beside_the_first() {
    is_the_bug_of(1, scenes::second_client);
}

#[test]
fn clients_cost_no_threads() {
    is_the_bug_of(2, scenes::threads);
}

#[test]
fn idle_server_sleeps() {
    is_the_bug_of(3, scenes::idleness);
}

#[test]
fn departure_leaves_other_clients_in_place() {
    is_the_bug_of(4, scenes::third_client_after_first_left);
}

#[test]
fn command_in_two_parts_is_understood() {
    is_the_bug_of(5, scenes::split_command);
}

#[test]
fn protocol_reaches_other_connections() {
    is_the_bug_of(6, scenes::line_to_others);
}

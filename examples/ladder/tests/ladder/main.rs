//! The ladder: each step has a bug, which the next step does not have. The programs are run as child processes.
#![cfg(target_os = "linux")]

mod client;
mod heads;
mod scenes;
mod server;
mod size;

use crate::scenes::Scene;
use crate::server::STEPS;
use std::thread;
use std::time::Duration;

/// How long a scene waits for what must come, and for what must not.
const PATIENT: Duration = Duration::from_secs(10);
const IMPATIENT: Duration = Duration::from_millis(300);

/// Plays a scene with a step, which must fail, and with all later steps, which must not.
#[track_caller]
fn is_the_bug_of(step: usize, scene: Scene) {
    let (broken, cured) = (STEPS[step - 1], &STEPS[step..]);
    let failure = scene(broken, IMPATIENT).expect_err("step has no such bug");
    println!("step {step} fails: {failure}");
    thread::scope(|scope| {
        let later: Vec<_> = cured
            .iter()
            .map(|program| (program, scope.spawn(move || scene(program, PATIENT))))
            .collect();
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

#[test]
fn slow_reader_loses_nothing_and_is_bounded() {
    is_the_bug_of(7, scenes::slow_reader);
}

#[test]
fn silent_client_is_closed() {
    is_the_bug_of(8, scenes::silence);
}

#[test]
fn busy_client_does_not_delay_others() {
    is_the_bug_of(9, scenes::busy_client);
}

#[test]
fn line_before_half_close_is_answered() {
    is_the_bug_of(10, scenes::half_close);
}

#[test]
fn unread_input_destroys_no_answer() {
    is_the_bug_of(10, scenes::unread_input);
}

#[test]
fn full_descriptor_table_is_survived() {
    is_the_bug_of(11, scenes::full_descriptor_table);
}

#[test]
fn stop_cuts_nothing_off() {
    is_the_bug_of(11, scenes::stop);
}

/// The last step is held to more.
mod last_step {
    use super::*;

    #[track_caller]
    fn passes(scene: Scene) {
        scene(STEPS[STEPS.len() - 1], PATIENT).unwrap();
    }

    #[test]
    fn every_split_gives_the_same_answers() {
        passes(scenes::every_split);
    }

    #[test]
    fn large_echo_completes_after_half_close() {
        passes(scenes::large_half_close);
    }

    #[test]
    fn id_of_a_departed_client_reaches_no_other() {
        passes(scenes::reused_slot);
    }

    #[test]
    fn resets_leave_no_descriptor() {
        passes(scenes::resets);
    }

    #[test]
    fn full_descriptor_table_causes_no_spin() {
        passes(scenes::no_spin_when_full);
    }
}

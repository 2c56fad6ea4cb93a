//! Programs that use the simulation.

use crate::scene::*;

#[test]
fn planning_is_reproducible_and_writes_a_picture() {
    let folder = folder("planning");
    let plan = |seed: &str| {
        let picture = folder.join("plan.svg");
        let path = picture.to_str().unwrap();
        // Fewer servers and clients than the default, for debug builds.
        let few = ["--quick", "--nodes", "20", "--clients", "100,200,500"];
        let end = run("planning", &[&few[..], &["--seed", seed, "--svg", path]].concat());
        assert_eq!(end.code, Some(0), "{end:?}");
        let rows = end.output.lines().filter(|line| line.contains('%')).count();
        assert_eq!(rows, 3, "{end:?}");
        // Each line was received by all members.
        assert!(!end.output.contains("not received"), "{end:?}");
        (end.output, std::fs::read_to_string(picture).unwrap())
    };
    let (table, picture) = plan("1");
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(picture.matches("<polyline").count(), 9, "{picture}");
    assert_eq!(plan("1"), (table.clone(), picture));
    assert_ne!(plan("2").0, table);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn planning_compares_its_costs_with_a_real_server() {
    let end = run("planning", &["--calibrate", "--quick", "--call", "10000000"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let rows: Vec<Vec<&str>> = end
        .output
        .lines()
        .map(|line| line.split([' ', '|']).filter(|word| !word.is_empty()).collect::<Vec<_>>())
        .filter(|row| row.len() == 9 && row[0].parse::<u32>().is_ok())
        .collect();
    assert_eq!(rows.len(), 3, "{end:?}");
    for row in &rows {
        let numbers: Vec<f64> = row.iter().map(|number| number.parse().unwrap()).collect();
        let (real, simulated, ratio) = (numbers[6], numbers[7], numbers[8]);
        // A call of 10 ms is far more expensive than a real one.
        assert!(real > 0.0 && simulated > real && ratio > 1.0, "{row:?}");
    }
    // One client sends a line a hundred times: it is written to the home, back, and to the client.
    assert_eq!(rows[0][4..6], ["300", "300"], "{end:?}");
    // The suggested cost is smaller by the same factor.
    let mut words = end.output.split_whitespace().skip_while(|word| *word != "--call");
    let call: u32 = words.nth(1).unwrap().parse().unwrap();
    assert!(call < 10_000_000, "{end:?}");
}

#[test]
fn simulation_depends_on_the_seed_alone() {
    let play = |seed| {
        let end = run("simulation", &["--seed", seed, "--seconds", "10", "--trace"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        end.output
    };
    let trace = |output: &str| {
        let last = output.lines().last().unwrap().to_owned();
        let hash = last.strip_prefix("trace ").unwrap_or_else(|| panic!("{last}")).to_owned();
        assert!(hash.len() == 32 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
        hash
    };
    let (first, again, other) = (play("5"), play("5"), play("6"));
    assert!(first.contains("data_received of LineReceiver<Chatter>"), "{first}");
    assert!(first == again, "every line is the same, the last one too");
    assert_eq!(trace(&first), trace(&again));
    assert_ne!(trace(&first), trace(&other));
}

#[test]
fn simulation_prints_the_selected_lines_only() {
    let options = ["--seconds", "2", "--faults", "none", "--trace", "--only", "node2"];
    let end = run("simulation", &options);
    let traced: Vec<_> = end.output.lines().filter(|line| line.contains("data_received")).collect();
    assert!(!traced.is_empty() && traced.iter().all(|line| line.contains("node2")), "{traced:#?}");
    let end = run("simulation", &["--faults", "gremlins"]);
    assert!(end.code == Some(2) && end.errors.contains("half-open"), "{end:?}");
}

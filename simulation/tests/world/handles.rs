//! Calls from outside of a world, through handles.

use ropewalk_simulation::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn a_call_from_another_thread_wakes_the_world() {
    let mut world = World::new(1);
    let node = world.add_node("node", |_| Ok(()));
    assert!(world.run_until_quiet(Duration::from_secs(1)));
    let handle = world.reactor(node).unwrap().handle();
    assert!(world.run_until_quiet(Duration::from_secs(1)));

    let calls = Arc::new(AtomicU32::new(0));
    for round in 1..=2 {
        let (handle, counted) = (handle.clone(), Arc::clone(&calls));
        let call = move || handle.call(move |_| _ = counted.fetch_add(1, Ordering::Relaxed));
        thread::spawn(call).join().unwrap().unwrap();
        match round {
            1 => world.run_for(Duration::from_secs(1)),
            _ => assert!(world.run_until_quiet(Duration::from_secs(1))),
        }
        assert_eq!(calls.load(Ordering::Relaxed), round);
    }
}

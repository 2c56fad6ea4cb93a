//! The journals of all nodes in one file.

use ropewalk::journal::Decoder;
use ropewalk::{Protocol, Transport};
use ropewalk_protocols::Echo;
use ropewalk_simulation::World;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Ask;

impl Protocol for Ask {
    fn connection_made(&mut self, transport: &mut Transport<'_>) {
        transport.write(b"hello");
    }

    fn data_received(&mut self, _transport: &mut Transport<'_>, _data: &[u8]) {}
}

/// Returns the journal of a world with two nodes. The client is killed and started again.
fn journal(seed: u64) -> Vec<u8> {
    let out = Shared::default();
    let mut world = World::new(seed);
    let second = Duration::from_secs(1);
    world.add_node("server", |reactor| reactor.listen_tcp("0.0.0.0:7000", || Echo).map(drop));
    world.write_journal(out.clone());
    let client =
        world.add_node("client", |reactor| reactor.connect_tcp("server:7000", || Ask).map(drop));
    world.run_for(second);
    world.kill(client);
    world.run_for(second);
    world.start(client);
    world.run_for(second);
    out.0.take()
}

fn lines(file: &[u8]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let units = file.chunks(Decoder::UNIT);
    units.filter_map(|unit| decoder.push(unit).unwrap().map(|record| record.to_string())).collect()
}

#[test]
fn same_seed_gives_same_bytes() {
    let first = journal(7);
    assert!(first.len() > 1000);
    assert_eq!(first, journal(7));
}

#[test]
fn records_of_all_nodes_are_in_order_of_time() {
    let lines = lines(&journal(1));
    // A turn ends later than it begins, by the costs of its work.
    let (mut last, costs) = (0.0, 0.000_01);
    for line in lines.iter().filter(|line| line.ends_with("wait returned")) {
        let time: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!(time >= last - costs, "{line} after {last}");
        last = time;
    }
    assert!(last >= 2.0, "a node that starts again counts on: {last}");
    for (node, callback) in [("server", "Echo"), ("client", "Ask")] {
        let called = format!("{callback:<12} data_received 5 bytes");
        let calls =
            lines.iter().filter(|l| l.contains(&format!(" {node:<10} #")) && l.ends_with(&called));
        assert_eq!(calls.count(), 2, "{node}: {lines:#?}");
    }
}

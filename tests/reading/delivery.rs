//! Delivery of received data, and of what surrounds urgent bytes.

use crate::support::*;
use std::io::Write;
use std::net::Shutdown;

#[test]
fn data_arriving_bytewise_is_all_delivered() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, echo));
    let mut client = client(address);
    let data = pattern(2_000);
    for (count, byte) in data.iter().enumerate() {
        client.write_all(&[*byte]).unwrap();
        turn_until(&mut reactor, "one byte", |_| log.data().len() == count + 1);
    }
    assert_eq!(log.data(), data);
    assert_eq!(read_turning(&mut reactor, &client, data.len()), data);
}

#[test]
fn large_burst_without_further_events_is_delivered() {
    // More than one buffer and more than one budget, reported by one event.
    for count in [1, 65_535, 65_536, 65_537, 100_000, 262_144, 2_000_000] {
        let log = Log::default();
        let (mut reactor, mut client) = up_with_client(&log, only_record);
        let data = pattern(count);
        client.write_all(&data).unwrap();
        turn_until(&mut reactor, "all data", |_| log.data().len() == count);
        assert!(log.data() == data);
        assert_eq!(log.lost(), 0);
    }
}

#[test]
fn urgent_byte_neither_spins_nor_stalls_data() {
    let log = Log::default();
    let (mut reactor, mut client) = up_with_client(&log, only_record);
    for round in 1..=3 {
        client.write_all(b"before").unwrap();
        socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
        client.write_all(b"after").unwrap();
        turn_until(&mut reactor, "data on both sides", |_| log.data().len() >= 11 * round);
        assert!(becomes_idle(&mut reactor));
    }
    socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
    turns(&mut reactor, 3);
    assert!(becomes_idle(&mut reactor));
    assert_eq!(log.data(), b"beforeafter".repeat(3), "the urgent byte itself is not data");
    drop(client);
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
}

#[test]
fn urgent_bytes_between_data_stall_nothing() {
    let log = Log::default();
    let (mut reactor, address) = up(recorders(&log, only_record));
    let mut client = client(address);
    for n in 0..50 {
        client.write_all(&[n; 100]).unwrap();
        if n % 7 == 0 {
            socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
        }
    }
    client.shutdown(Shutdown::Write).unwrap();
    turn_until(&mut reactor, "lost", |_| log.lost() == 1);
    let data = log.data();
    let ordinary: Vec<u8> = data.into_iter().filter(|byte| *byte != b'!').collect();
    // 33 is also `!`, so that round is excluded from both.
    let expected: Vec<u8> = (0..50_u8).filter(|n| *n != b'!').flat_map(|n| [n; 100]).collect();
    assert!(ordinary == expected);
}

//! What options sockets have, and what is said of others.

use crate::actors::{quiet, silent};
use crate::ground::{Client, Ground, Server, everywhere, together};
use ropewalk::{ConnectOptions, DatagramOptions, Id, KeepAlive, SocketOption};
use std::net::SocketAddr;
use std::time::Duration;

/// Those of TCP and of IP.
fn of_tcp_and_ip() -> [SocketOption; 7] {
    [
        SocketOption::Nodelay(true),
        SocketOption::KeepAlive(Some(KeepAlive::default())),
        SocketOption::UserTimeout(None),
        SocketOption::Ttl(9),
        SocketOption::TrafficClass(8),
        SocketOption::OnlyIpv6(true),
        SocketOption::ReusePort(true),
    ]
}

/// Notes which of these options a socket of the client's has.
fn note_options(ground: &mut Ground, who: &str, id: Id, options: &[SocketOption]) {
    for option in options {
        let outcome = ground.at(Client).set_option(id, option.clone());
        ground.note(
            who,
            match &outcome {
                Ok(()) => "done".to_owned(),
                Err(error) => format!("{:?}", error.kind()),
            },
        );
    }
}

#[test]
fn unix_sockets_have_no_options_of_tcp_and_ip() {
    let refused = ["Unsupported"; 7].join(", ");
    let expected = [
        format!("client: made, {refused}"),
        format!("datagrams: started, {refused}"),
        format!("listener: {refused}"),
        "server: made".to_owned(),
    ];
    together(&expected.each_ref().map(String::as_str), |ground| {
        let path = ground.path("options.sock");
        let (actors, others) = (ground.actors("server", quiet), ground.actors("client", quiet));
        let listener = ground.at(Server).listen_unix(path.clone(), actors).unwrap().id();
        let client = ground.at(Client).connect_unix(path, others).unwrap();
        let (path, actor) =
            (ground.path("datagrams.sock"), ground.datagram_actor("datagrams", silent));
        let datagrams = ground.at(Client).listen_unix_datagram(path, actor).unwrap().id();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        for (who, id) in [("client", client), ("datagrams", datagrams), ("listener", listener)] {
            note_options(ground, who, id, &of_tcp_and_ip());
        }
    });
}

#[test]
fn udp_has_no_options_of_tcp() {
    let expected = &[
        "client: started, Unsupported, Unsupported, Unsupported, done, done, Unsupported, done, done, done",
    ];
    everywhere(expected, |ground| {
        let client = ground.bind(Client, "client", silent).id();
        ground.settle();
        note_options(ground, "client", client, &of_tcp_and_ip());
        let own = [SocketOption::Broadcast(true), SocketOption::ReceiveBuffer(100_000)];
        note_options(ground, "client", client, &own);
    });
}

#[test]
fn values_that_make_no_sense_are_refused_by_every_socket() {
    let refused = ["InvalidInput"; 5].join(", ");
    let expected = [
        format!("client: made, {refused}"),
        format!("datagrams: started, {refused}"),
        "server: made".to_owned(),
    ];
    together(&expected.each_ref().map(String::as_str), |ground| {
        let short = KeepAlive { idle: Duration::ZERO, ..KeepAlive::default() };
        let senseless = [
            SocketOption::KeepAlive(Some(short)),
            SocketOption::Linger(Some(Duration::from_secs(1))),
            SocketOption::SendBuffer(usize::MAX),
            SocketOption::ReceiveBuffer(1 << 31),
            SocketOption::Device("a name that is too long".to_owned()),
        ];
        let path = ground.path("options.sock");
        let (actors, others) = (ground.actors("server", quiet), ground.actors("client", quiet));
        ground.at(Server).listen_unix(path.clone(), actors).unwrap();
        let client = ground.at(Client).connect_unix(path, others).unwrap();
        let datagrams = ground.bind(Client, "datagrams", silent).id();
        ground.until("both there", |log| log.made("client") && log.made("server"));
        note_options(ground, "client", client, &senseless);
        note_options(ground, "datagrams", datagrams, &senseless);
    });
}

/// No advice on addresses, say, which an error with the same number would have without the option.
#[test]
fn an_attempt_that_fails_for_an_option_tells_of_the_option() {
    let expected =
        &["client: failed: InvalidInput, `Ttl(0)`: invalid argument (1 to 255 can be had)"];
    everywhere(expected, |ground| {
        let address = ground.listen("server", quiet);
        let options = ConnectOptions::new().option(SocketOption::Ttl(0));
        let actors = ground.actors("client", quiet);
        options.connect_tcp(ground.at(Client), address, actors).unwrap();
        ground.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn an_address_is_shared_by_those_that_all_share_it_in_the_same_way() {
    let expected = &["server: started, started, AddrInUse, AddrInUse, AddrInUse"];
    everywhere(expected, |ground| {
        let address = SocketOption::ReuseAddress;
        let mut first = None;
        for options in [
            vec![address(true)],
            vec![address(true)],
            vec![],
            vec![address(true), address(false)],
            vec![SocketOption::ReusePort(true)],
        ] {
            let options = options.into_iter().fold(DatagramOptions::new(), DatagramOptions::option);
            let at = first.unwrap_or_else(|| SocketAddr::new(ground.ip(Server), 0));
            match ground.bind_with(Server, "server", at, &options, silent) {
                Ok(port) => first = port.address().socket_addr(),
                Err(error) => ground.note("server", format!("{:?}", error.kind())),
            }
            ground.settle();
        }
    });
}

/// The system sees to the options first.
#[test]
fn a_bad_option_is_refused_before_a_name_that_is_taken() {
    let expected = &["server: started, InvalidInput, InvalidInput"];
    together(expected, |ground| {
        let path = ground.path("taken.sock");
        let actor = ground.datagram_actor("server", silent);
        ground.at(Server).listen_unix_datagram(path.clone(), actor).unwrap();
        let address = ground.bind(Server, "other", silent).address().socket_addr().unwrap();
        ground.settle();
        ground.log().forget("other");
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(usize::MAX));
        let actor = ground.datagram_actor("second", silent);
        let outcome = options.listen_unix_datagram(ground.at(Server), path, actor);
        ground.note("server", format!("{:?}", outcome.unwrap_err().kind()));
        let outcome = ground.bind_with(Server, "second", address, &options, silent);
        ground.note("server", format!("{:?}", outcome.unwrap_err().kind()));
    });
}

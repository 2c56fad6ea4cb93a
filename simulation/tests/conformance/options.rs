//! Socket options, and errors of unsupported ones.

use crate::actors::{quiet, silent};
use crate::environment::{Client, Environment, Server, run_everywhere, run_with_one_reactor};
use ropewalk::{ConnectOptions, DatagramOptions, Id, KeepAlive, SocketOption};
use std::net::SocketAddr;
use std::time::Duration;

/// The options of TCP and of IP.
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

/// Records which of these options a socket of the client has.
fn note_options(environment: &mut Environment, who: &str, id: Id, options: &[SocketOption]) {
    for option in options {
        let outcome = environment.at(Client).set_option(id, option.clone());
        environment.note(
            who,
            match &outcome {
                Ok(()) => "done".to_owned(),
                Err(error) => format!("{:?}", error.kind()),
            },
        );
    }
}

#[test]
fn unix_sockets_have_no_inet_options() {
    let refused = ["Unsupported"; 7].join(", ");
    let expected = [
        format!("client: made, {refused}"),
        format!("datagrams: started, {refused}"),
        format!("listener: {refused}"),
        "server: made".to_owned(),
    ];
    run_with_one_reactor(&expected.each_ref().map(String::as_str), |environment| {
        let path = environment.path("options.sock");
        let (actors, others) =
            (environment.actors("server", quiet), environment.actors("client", quiet));
        let listener = environment.at(Server).listen_unix(path.clone(), actors).unwrap().id();
        let client = environment.at(Client).connect_unix(path, others).unwrap();
        let (path, actor) =
            (environment.path("datagrams.sock"), environment.datagram_actor("datagrams", silent));
        let datagrams = environment.at(Client).listen_unix_datagram(path, actor).unwrap().id();
        environment.until("both there", |log| log.made("client") && log.made("server"));
        for (who, id) in [("client", client), ("datagrams", datagrams), ("listener", listener)] {
            note_options(environment, who, id, &of_tcp_and_ip());
        }
    });
}

#[test]
fn udp_sockets_have_no_tcp_options() {
    let expected = &[
        "client: started, Unsupported, Unsupported, Unsupported, done, done, Unsupported, done, done, done",
    ];
    run_everywhere(expected, |environment| {
        let client = environment.bind(Client, "client", silent).id();
        environment.settle();
        note_options(environment, "client", client, &of_tcp_and_ip());
        let own = [SocketOption::Broadcast(true), SocketOption::ReceiveBuffer(100_000)];
        note_options(environment, "client", client, &own);
    });
}

#[test]
fn invalid_values_are_refused_by_every_socket() {
    let refused = ["InvalidInput"; 5].join(", ");
    let expected = [
        format!("client: made, {refused}"),
        format!("datagrams: started, {refused}"),
        "server: made".to_owned(),
    ];
    run_with_one_reactor(&expected.each_ref().map(String::as_str), |environment| {
        let short = KeepAlive { idle: Duration::ZERO, ..KeepAlive::default() };
        let senseless = [
            SocketOption::KeepAlive(Some(short)),
            SocketOption::Linger(Some(Duration::from_secs(1))),
            SocketOption::SendBuffer(usize::MAX),
            SocketOption::ReceiveBuffer(1 << 31),
            SocketOption::Device("a name that is too long".to_owned()),
        ];
        let path = environment.path("options.sock");
        let (actors, others) =
            (environment.actors("server", quiet), environment.actors("client", quiet));
        environment.at(Server).listen_unix(path.clone(), actors).unwrap();
        let client = environment.at(Client).connect_unix(path, others).unwrap();
        let datagrams = environment.bind(Client, "datagrams", silent).id();
        environment.until("both there", |log| log.made("client") && log.made("server"));
        note_options(environment, "client", client, &senseless);
        note_options(environment, "datagrams", datagrams, &senseless);
    });
}

/// No advice on addresses, which an error with the same number would have without the option.
#[test]
fn a_failed_option_is_named_in_the_error() {
    let expected =
        &["client: failed: InvalidInput, `Ttl(0)`: invalid argument (the range is 1 to 255)"];
    run_everywhere(expected, |environment| {
        let address = environment.listen("server", quiet);
        let options = ConnectOptions::new().option(SocketOption::Ttl(0));
        let actors = environment.actors("client", quiet);
        options.connect_tcp(environment.at(Client), address, actors).unwrap();
        environment.until("failed", |log| log.has("client", "failed"));
    });
}

#[test]
fn sharing_requires_the_option_on_all_sockets() {
    let expected = &["server: started, started, AddrInUse, AddrInUse, AddrInUse"];
    run_everywhere(expected, |environment| {
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
            let at = first.unwrap_or_else(|| SocketAddr::new(environment.ip(Server), 0));
            match environment.bind_with(Server, "server", at, &options, silent) {
                Ok(port) => first = port.address().socket_addr(),
                Err(error) => environment.note("server", format!("{:?}", error.kind())),
            }
            environment.settle();
        }
    });
}

/// The system checks the options first.
#[test]
fn an_invalid_option_precedes_a_taken_name() {
    let expected = &["server: started, InvalidInput, InvalidInput"];
    run_with_one_reactor(expected, |environment| {
        let path = environment.path("taken.sock");
        let actor = environment.datagram_actor("server", silent);
        environment.at(Server).listen_unix_datagram(path.clone(), actor).unwrap();
        let address = environment.bind(Server, "other", silent).address().socket_addr().unwrap();
        environment.settle();
        environment.log().forget("other");
        let options = DatagramOptions::new().option(SocketOption::SendBuffer(usize::MAX));
        let actor = environment.datagram_actor("second", silent);
        let outcome = options.listen_unix_datagram(environment.at(Server), path, actor);
        environment.note("server", format!("{:?}", outcome.unwrap_err().kind()));
        let outcome = environment.bind_with(Server, "second", address, &options, silent);
        environment.note("server", format!("{:?}", outcome.unwrap_err().kind()));
    });
}

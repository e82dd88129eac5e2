//! The life of a server, seen from outside.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpStream;

use servers::{Database, Durability, Server, test_url};

#[test]
fn mariadb_comes_back_where_it_was_killed() {
    comes_back_where_it_was_killed(Database::MariaDb);
}

#[test]
fn postgres_comes_back_where_it_was_killed() {
    comes_back_where_it_was_killed(Database::Postgres);
}

#[test]
fn redis_comes_back_where_it_was_killed() {
    comes_back_where_it_was_killed(Database::Redis);
}

fn comes_back_where_it_was_killed(database: Database) {
    if test_url(database).expect("a server").is_none() {
        return;
    }
    let mut server = Server::start(database, Durability::Durable).expect("a server");
    let url = server.url();
    assert!(answers(&url), "a started server answers");

    server.kill().expect("killed");
    assert!(!answers(&url), "a killed server is silent");
    server.kill().expect("nothing to kill");

    server.restart().expect("started again");
    assert_eq!(server.url(), url);
    assert!(answers(&url), "it answers again");

    drop(server);
    assert!(!answers(&url), "a dropped server is silent");
}

#[test]
fn two_servers_do_not_meet() {
    if test_url(Database::Postgres).expect("a server").is_none() {
        return;
    }
    let start = || Server::start(Database::Postgres, Durability::Fast).expect("a server");
    let (first, second) = (start(), start());
    assert_ne!(first.url(), second.url());
    drop(first);
    assert!(answers(&second.url()));
}

/// Says whether a server of any database takes connections at the address.
fn answers(url: &str) -> bool {
    let address = url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).expect("HOST:PORT");
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    // PostgreSQL's question for TLS, to which it says one letter; MariaDB greets before it reads anything.
    let question: &[u8] = if url.starts_with("redis:") { b"PING\r\n" } else { &[0, 0, 0, 8, 4, 210, 22, 47] };
    stream.write_all(question).expect("a question");
    stream.read_exact(&mut [0]).is_ok()
}

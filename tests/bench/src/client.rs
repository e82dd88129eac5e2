//! A lean HTTP/1.1 client: one request at a time over a connection that is kept.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as JsonValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to a port of this machine, from one of its loopback addresses.
    pub(crate) async fn open(from: Ipv4Addr, port: u16) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole answer; returns its status and how long it took.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(u16, Duration)> {
        let begun = Instant::now();
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the application closed the connection");
            }
            if let Some(status) = complete(&self.buffer)? {
                return Ok((status, begun.elapsed()));
            }
        }
    }
}

/// The status of an answer that has arrived whole.
fn complete(answer: &[u8]) -> Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.unwrap_or("0").parse()?;
    let status = head.split(' ').nth(1).context("an answer without a status")?;
    Ok((body.len() >= length).then_some(status.parse()?))
}

/// `GET` of a path, as a browser sends it that shows this header.
pub(crate) fn get(path: &str, credential: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost:3000\r\n{BROWSER}{credential}\r\n\r\n").into_bytes()
}

/// `POST` of a JSON body.
pub(crate) fn post(path: &str, body: &JsonValue) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost:3000\r\n{BROWSER}origin: http://localhost:3000\r\n");
    format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

const BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
                       accept: application/json\r\naccept-language: en\r\nsec-fetch-site: same-origin\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(complete(answer).unwrap(), Some(200));
        for short in [30, answer.len() - 1] {
            assert_eq!(complete(&answer[..short]).unwrap(), None, "{short}");
        }
        assert_eq!(complete(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some(204));
    }
}

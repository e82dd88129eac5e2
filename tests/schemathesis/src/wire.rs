use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// One response, as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// 0 if the server hung up without a word.
    pub status: u16,
    /// Status line, headers and body; what is not UTF-8 is replaced.
    pub text: String,
}

impl Answer {
    /// What comes after the headers.
    #[must_use]
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// Sends these bytes over a connection of their own, as no client library would, and reads until the server hangs up.
///
/// # Errors
///
/// If there is no connection, or the server neither answers nor hangs up for ten seconds.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let (mut reader, mut writer) = stream.split();
    let read = async {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        // What came before the connection was reset counts.
        while let Ok(length @ 1..) = reader.read(&mut part).await {
            bytes.extend(part.iter().take(length));
        }
        bytes
    };
    // The server may refuse, and hang up, before it has read everything: what it said then is what counts.
    let both = async { tokio::join!(writer.write_all(request), read).1 };
    let bytes = timeout(PATIENCE, both).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, text })
}

const PATIENCE: Duration = Duration::from_secs(10);

//! How the kubelet finds the driver: it asks at a socket in a folder that it watches.
//!
//! Its client names the path of the socket as the `:authority` of the request, which no HTTP/2 server in Rust takes. So the few
//! frames that it takes to answer are written here. Whatever is asked, the answer is the same: the second question is only
//! whether we have heard that it went well, and expects an empty message.

use std::path::PathBuf;

use anyhow::Result;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use super::{NAME, messages::Registration};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
/// Of a SETTINGS or a PING: it answers one.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// How long what a client begins with is.
const PREFACE: usize = 24;

/// Tells every kubelet that asks at which socket the driver answers.
pub async fn answer(listener: UnixListener, endpoint: PathBuf) -> Result<()> {
    let said = Registration {
        kind: "CSIPlugin".to_owned(),
        name: NAME.to_owned(),
        endpoint: endpoint.display().to_string(),
        supported_versions: vec!["1.0.0".to_owned()],
    }
    .encode_to_vec();
    loop {
        let (stream, _) = listener.accept().await?;
        let said = said.clone();
        // It ends when the kubelet hangs up.
        tokio::spawn(async move { converse(stream, &said).await.ok() });
    }
}

async fn converse(mut stream: UnixStream, said: &[u8]) -> Result<()> {
    stream.read_exact(&mut [0; PREFACE]).await?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let mut body = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        stream.read_exact(&mut body).await?;
        let number = u32::from_be_bytes([s0, s1, s2, s3]);
        match kind {
            SETTINGS if flags & ACK == 0 => write(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            PING if flags & ACK == 0 => write(&mut stream, PING, ACK, 0, &body).await?,
            DATA | HEADERS if flags & END_STREAM != 0 => {
                respond(&mut stream, number, said).await?;
            }
            _ => {}
        }
    }
}

async fn respond(stream: &mut UnixStream, number: u32, said: &[u8]) -> Result<()> {
    // `:status: 200`, then `content-type`, both from the table that HTTP/2 begins with.
    let mut head = vec![0x88, 0x0f, 0x10];
    text(&mut head, "application/grpc");
    write(stream, HEADERS, END_HEADERS, number, &head).await?;
    let mut body = vec![0];
    body.extend(u32::try_from(said.len())?.to_be_bytes());
    body.extend(said);
    write(stream, DATA, 0, number, &body).await?;
    let mut tail = vec![0];
    text(&mut tail, "grpc-status");
    text(&mut tail, "0");
    write(stream, HEADERS, END_HEADERS | END_STREAM, number, &tail).await
}

/// A short text as a header's name or value is written.
fn text(block: &mut Vec<u8>, text: &str) {
    block.push(text.len() as u8);
    block.extend(text.as_bytes());
}

async fn write(
    stream: &mut UnixStream,
    kind: u8,
    flags: u8,
    number: u32,
    body: &[u8],
) -> Result<()> {
    let [_, l0, l1, l2] = u32::try_from(body.len())?.to_be_bytes();
    let [s0, s1, s2, s3] = number.to_be_bytes();
    let mut frame = vec![l0, l1, l2, kind, flags, s0, s1, s2, s3];
    frame.extend(body);
    stream.write_all(&frame).await?;
    Ok(())
}

//! A slow line: a relay before the organization that takes its time, and counts what crosses it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long each direction takes: long enough for a second request to be made by mistake.
const LATENCY: Duration = Duration::from_millis(20);

/// What crossed so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Crossed {
    /// Connections that were opened; with TLS, those whose handshake is over.
    pub connections: usize,
    /// How often something was sent and answered.
    pub round_trips: usize,
}

/// The relay. Its threads end with their connections.
pub struct Relay {
    port: u16,
    tls: bool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    round_trips: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// A relay to a URL of this machine: `http://127.0.0.1:5601`.
    pub fn to(url: &str) -> Self {
        Self::with(url, None)
    }

    /// The same with TLS before it.
    pub fn tls(url: &str, config: ServerConfig) -> Self {
        Self::with(url, Some(Arc::new(config)))
    }

    fn with(url: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let to: u16 = url.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
        let is_tls = tls.is_some();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), counts) = (client, Arc::clone(&shared)) else { return };
                if tls.is_none() {
                    counts.connections.fetch_add(1, Ordering::SeqCst);
                }
                counts.open.lock().unwrap().push(client.try_clone().unwrap());
                let tls = tls.clone();
                std::thread::spawn(move || match tls {
                    Some(tls) => drop(relay_tls(client, tls, to, &counts)),
                    None => relay(client, to, &counts),
                });
            }
        });
        Self { port, tls: is_tls, counts }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn crossed(&self) -> Crossed {
        Crossed {
            connections: self.counts.connections.load(Ordering::SeqCst),
            round_trips: self.counts.round_trips.load(Ordering::SeqCst),
        }
    }

    /// Closes what is open, as a server does after a while.
    pub fn close(&self) {
        for open in self.counts.open.lock().unwrap().drain(..) {
            let _ = open.shutdown(Shutdown::Both);
        }
    }
}

fn relay(mut client: TcpStream, to: u16, counts: &Counts) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap();
    let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    // What is sent after an answer begins another round trip.
    let answered = Arc::new(Mutex::new(true));
    let seen = Arc::clone(&answered);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            *seen.lock().unwrap() = true;
            std::thread::sleep(LATENCY);
            if back.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        if std::mem::replace(&mut *answered.lock().unwrap(), false) {
            counts.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::sleep(LATENCY);
        if server.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// Under TLS both directions go through one state, so here a whole request is passed on, then its whole answer.
fn relay_tls(
    client: TcpStream,
    tls: Arc<ServerConfig>,
    to: u16,
    counts: &Counts,
) -> io::Result<()> {
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, client);
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock)?;
    }
    counts.connections.fetch_add(1, Ordering::SeqCst);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    loop {
        let request = message(&mut client)?;
        counts.round_trips.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(LATENCY);
        server.write_all(&request)?;
        let answer = message(&mut server)?;
        std::thread::sleep(LATENCY);
        client.write_all(&answer)?;
        client.flush()?;
    }
}

/// A whole message of HTTP: its head, and as much of a body as that says.
fn message(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    from.read_exact(&mut body)?;
    bytes.extend(body);
    Ok(bytes)
}

//! What lies in wait for a program's credentials: a proxy, and an EC2 instance's own role.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::stage::DEADLINE;

/// A server on a free port; dropping it stops it.
pub struct Trap {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One request: its first line, the rest of its head, its body.
struct Request {
    line: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
            // One request a connection.
            if !header.to_ascii_lowercase().starts_with("connection:") {
                head.push_str(&header);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Self { line: line.trim().to_owned(), head, body })
    }
}

impl Trap {
    fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let mut stream = BufReader::new(stream);
                let Some(request) = Request::read(&mut stream) else { continue };
                seen.lock().unwrap().push(request.line.clone());
                let _ = stream.get_mut().write_all(&answer(&request));
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    /// A proxy that passes everything on to the host it names.
    pub fn proxy() -> Self {
        Self::start(|Request { line, head, body }| {
            let onward = || {
                let (method, url) = line.strip_suffix(" HTTP/1.1")?.split_once(" http://")?;
                let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
                let mut there = TcpStream::connect(host).ok()?;
                let path = if path.is_empty() { "/" } else { path };
                write!(there, "{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n")
                    .ok()?;
                there.write_all(body).ok()?;
                let mut answer = Vec::new();
                there.read_to_end(&mut answer).ok()?;
                Some(answer)
            };
            onward().unwrap_or_else(|| response("502 Bad Gateway", ""))
        })
    }

    /// The metadata service of an EC2 instance that has a role of its own, with these credentials (JSON).
    pub fn instance(credentials: String) -> Self {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        Self::start(move |request| {
            let path = request.line.split(' ').nth(1).unwrap_or_default();
            match path.trim_start_matches('/') {
                "latest/api/token" => response("200 OK", "token"),
                path if *path == ROLES[1..] || *path == ROLES[1..ROLES.len() - 1] => {
                    response("200 OK", "instance")
                }
                path if path.strip_prefix(&ROLES[1..]) == Some("instance") => {
                    response("200 OK", &credentials)
                }
                _ => response("404 Not Found", ""),
            }
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first lines of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A response with what SDKs want to know of a metadata service.
fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Type: text/plain\r\n\
         X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

//! HTTP for this machine's own programs: 127.0.0.1 only, one request a connection, everything bounded.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::domain::secret::Secret;

/// So many connections at a time; others wait in the system's queue.
const MAX_CONNECTIONS: usize = 128;
/// How long a request may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last, answer included: longer than AWS may take.
const WHOLE: Duration = Duration::from_secs(40);
/// The longest request, in bytes; hyper takes no less than 8192.
const LONGEST: usize = 16 * 1024;

/// What goes back.
pub type HttpResponse = Response<Full<Bytes>>;

/// A port of 127.0.0.1 that is ours.
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes a free one.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens; the only `Host` a request may name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handles every connection; the second argument says who called.
    pub async fn accept<F>(&self, handle: impl Fn(TcpStream, SocketAddr) -> F) -> Infallible
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, caller)) => {
                    let handled = handle(stream, caller);
                    tokio::spawn(async move {
                        handled.await;
                        drop(permit);
                    });
                }
                // Out of descriptors, say: others must close theirs first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

/// Answers the one request of a connection and closes it. A body is never read.
pub async fn answer<F>(stream: TcpStream, respond: impl Fn(Parts) -> F)
where
    F: Future<Output = HttpResponse>,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = respond(request.into_parts().0);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(WHOLE, connection).await;
}

/// Why a request is refused, whatever it asks for: a page of a browser sent it, it was led here under
/// another host's name (DNS rebinding), or it wants to change something.
pub fn refusal(parts: &Parts, address: SocketAddr) -> Option<StatusCode> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let named = hosts.next().map(HeaderValue::as_bytes) == Some(address.to_string().as_bytes());
    let alone = hosts.next().is_none() && parts.uri.authority().is_none();
    if !named || !alone || parts.headers.contains_key(header::ORIGIN) {
        return Some(StatusCode::FORBIDDEN);
    }
    let body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    if parts.method != Method::GET {
        Some(StatusCode::METHOD_NOT_ALLOWED)
    } else if body.iter().any(|name| parts.headers.contains_key(name)) {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}

/// 32 random bytes as 64 hexadecimal digits.
pub fn token() -> io::Result<Secret> {
    use std::fmt::Write;
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let mut text = String::with_capacity(64);
    for byte in bytes.iter() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(Secret::new(text))
}

/// A bare answer that nobody keeps.
pub fn status(status: StatusCode) -> HttpResponse {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

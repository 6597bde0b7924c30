//! HTTP for this user's programs on this machine: 127.0.0.1 only, one request per connection, size and time limited.
//!
//! Other users' connections are closed where the kernel tells whose they are. Where it does not, and to keep one's own
//! broken programs from starving the others, a connection that has not shown what it must know holds nothing: the oldest of
//! them makes room for the next.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::task::AbortHandle;

use super::peer::{Peer, peer};
use crate::domain::secret::Secret;

/// How many connections may be open that have not been admitted.
const MAX_WAITING: usize = 256;
/// How many admitted requests are answered at a time; others wait.
const MAX_ANSWERED: usize = 128;
/// How long a request's head may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last, response included: longer than a call to AWS.
const WHOLE: Duration = Duration::from_secs(40);
/// The largest request head, in bytes; hyper's minimum is 8192.
const LONGEST: usize = 16 * 1024;

/// A response with its whole body in memory.
pub type HttpResponse = Response<Full<Bytes>>;

/// What answers the requests to a port.
pub trait Service: Send + Sync + 'static {
    /// The status to reject a request with that does not show what it must know.
    fn refusal(&self, parts: &Parts) -> Option<StatusCode>;

    /// The response to a request that was admitted.
    fn respond(&self, parts: &Parts) -> impl Future<Output = HttpResponse> + Send;

    /// A response to an admitted request was written.
    fn responded(&self) {}
}

/// A listening port on 127.0.0.1.
pub struct Port {
    listener: TcpListener,
    address: SocketAddrV4,
}

impl Port {
    /// Listens on a free port.
    pub async fn open() -> io::Result<Self> {
        Self::at(0).await
    }

    /// Listens on this port; 0 is a free one.
    pub async fn at(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port());
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Answers every request that is admitted, until it is dropped.
    pub async fn run(&self, service: &Arc<impl Service>) -> Infallible {
        let waiting = Arc::new(Waiting::default());
        let permits = Arc::new(Semaphore::new(MAX_ANSWERED));
        let mut number = 0;
        loop {
            let (stream, caller) = match self.listener.accept().await {
                Ok((stream, SocketAddr::V4(caller))) => (stream, caller),
                Ok((_, SocketAddr::V6(_))) => continue,
                Err(_) => {
                    // Out of descriptors, for example: wait until other connections close.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            if peer(caller, self.address) == Peer::Stranger {
                continue;
            }
            number += 1;
            let connection = Connection {
                number,
                caller,
                here: self.address,
                service: Arc::clone(service),
                waiting: Arc::clone(&waiting),
                permits: Arc::clone(&permits),
            };
            waiting.enter(number, tokio::spawn(connection.answer(stream)).abort_handle());
        }
    }
}

/// The connections that have not been admitted, the oldest first.
#[derive(Default)]
struct Waiting(Mutex<VecDeque<(u64, AbortHandle)>>);

impl Waiting {
    fn enter(&self, number: u64, task: AbortHandle) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((number, task));
        if waiting.len() > MAX_WAITING
            && let Some((_, oldest)) = waiting.pop_front()
        {
            oldest.abort();
        }
    }

    fn leave(&self, number: u64) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(other, _)| *other != number);
    }
}

struct Connection<S> {
    number: u64,
    caller: SocketAddrV4,
    here: SocketAddrV4,
    service: Arc<S>,
    waiting: Arc<Waiting>,
    permits: Arc<Semaphore>,
}

impl<S: Service> Connection<S> {
    /// Answers one request and closes the connection. A request body is never read.
    async fn answer(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let admitted = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| async {
            let parts = request.into_parts().0;
            let answer = if let Err(refused) = self.admit(&parts) {
                status(refused)
            } else {
                admitted.store(true, Ordering::Relaxed);
                let _permit = self.permits.acquire().await;
                self.service.respond(&parts).await
            };
            Ok::<_, Infallible>(answer)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(LONGEST)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        let ended = tokio::time::timeout(WHOLE, connection).await;
        self.waiting.leave(self.number);
        if matches!(ended, Ok(Ok(()))) && admitted.into_inner() {
            self.service.responded();
        }
    }

    /// Admits a request, or says with which status to reject it. Whoever closed the connection since gets nothing.
    fn admit(&self, parts: &Parts) -> Result<(), StatusCode> {
        if let Some(refused) = refusal(parts).or_else(|| self.service.refusal(parts)) {
            return Err(refused);
        }
        if peer(self.caller, self.here) == Peer::Stranger {
            return Err(StatusCode::FORBIDDEN);
        }
        self.waiting.leave(self.number);
        Ok(())
    }
}

/// The status to reject any request with: a web page sent it, it names another host (DNS rebinding),
/// or it is not a plain GET.
fn refusal(parts: &Parts) -> Option<StatusCode> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let named = hosts.next().is_some_and(|host| is_loopback(host.as_bytes()));
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

/// Whether a `Host` names this machine. AWS's C runtime sends it without the port, and behind a forwarded port it is
/// another one.
fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let rest = ["127.0.0.1", "localhost", "[::1]"].iter().find_map(|name| host.strip_prefix(name));
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// 32 random bytes in hexadecimal, for URLs and headers.
pub fn token() -> io::Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Secret::new(hex::encode(bytes.as_slice())))
}

/// An empty response that must not be cached.
pub fn status(status: StatusCode) -> HttpResponse {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

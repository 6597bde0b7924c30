//! The connection that is opened while a person types, so that the handshakes are not in the wait after it: TCP and TLS, and
//! not a byte of HTTP before the first call.
//!
//! The SDK's client opens a connection only for a request that it sends at once. So this is a connection of our own, to
//! one host, for one request at a time; whatever does not suit it goes to the SDK's. That it cannot be opened, is closed
//! by the other side or is never needed is no fault.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use aws_smithy_types::body::SdkBody;
use http::header::HOST;
use http::{HeaderValue, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::http::{MAX_RESPONSE_BYTES, TooLong, ca_bundle, proxy};
use super::{CONNECT, receipt};

/// How long one address may take: another one may answer.
const ADDRESS: std::time::Duration = std::time::Duration::from_secs(1);

/// Whom a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of a URL.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let tls = uri.scheme_str()? == "https";
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { tls, host: uri.host()?.to_owned(), port })
    }

    /// What the `Host` header says, as the SDK signs it.
    fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

/// The connection, if there is one. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Early(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    None,
    Opening(Origin, Opening),
    Open(Line),
}

/// Ends when it is dropped.
struct Opening(JoinHandle<Option<Line>>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Line {
    origin: Origin,
    sender: SendRequest<Full<Bytes>>,
}

impl std::fmt::Debug for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Early")
    }
}

impl Early {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client that uses this connection where it can, else another client.
    pub(super) fn before(&self, other: SharedHttpClient) -> SharedHttpClient {
        WithEarly { inner: other, early: self.clone() }.into_shared()
    }

    /// Starts to open a connection, unless there is one already, or a proxy has to be asked for it.
    pub(super) fn open(&self, origin: Origin) {
        let is_there = match &*self.state() {
            State::None => false,
            State::Opening(other, opening) => *other == origin && !opening.0.is_finished(),
            State::Open(line) => line.origin == origin && !line.sender.is_closed(),
        };
        if is_there || origin.tls && proxy().is_some() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let to = origin.clone();
        let task = runtime
            .spawn(async move { tokio::time::timeout(CONNECT, Line::open(to)).await.ok()?.ok() });
        *self.state() = State::Opening(origin, Opening(task));
    }

    /// The connection to an origin, if there is one that is open.
    async fn take(&self, origin: &Origin) -> Option<Line> {
        let state = {
            let mut state = self.state();
            let is_it = match &*state {
                State::None => false,
                State::Opening(other, _) => other == origin,
                State::Open(line) => line.origin == *origin,
            };
            if !is_it {
                return None;
            }
            std::mem::take(&mut *state)
        };
        let mut line = match state {
            State::None => return None,
            State::Opening(_, mut opening) => (&mut opening.0).await.ok()??,
            State::Open(line) => line,
        };
        // What the other side did meanwhile is noticed first: a code must not go over a connection that is closed.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        line.sender.ready().await.ok()?;
        Some(line)
    }

    /// Sends a request over this connection, if it is open and leads to the right host.
    async fn call(&self, request: HttpRequest) -> Result<Answered, ConnectorError> {
        if matches!(*self.state(), State::None) {
            return Ok(Answered::Not(request));
        }
        let (Some(origin), Some(plain)) = (origin(&request), plain(&request)) else {
            return Ok(Answered::Not(request));
        };
        let Some(mut line) = self.take(&origin).await else {
            return Ok(Answered::Not(request));
        };
        let response = match line.sender.try_send_request(plain).await {
            Ok(response) => response,
            Err(mut failed) => {
                // Where the request comes back, it was closed before anything was sent.
                return match failed.take_message() {
                    Some(_) => Ok(Answered::Not(request)),
                    None => Err(ConnectorError::io(failed.into_error().into())),
                };
            }
        };
        let (head, body) = response.into_parts();
        let response = |body| {
            let whole = http::Response::from_parts(head.clone(), SdkBody::from(body));
            HttpResponse::try_from(whole).map_err(|error| ConnectorError::other(error.into(), None))
        };
        receipt::note(&response(Vec::new())?);
        let body = whole(body).await?;
        let mut state = self.state();
        if matches!(*state, State::None) && !line.sender.is_closed() {
            *state = State::Open(line);
        }
        Ok(Answered::Here(response(body)?))
    }
}

/// What became of a request.
enum Answered {
    /// It was answered.
    Here(HttpResponse),
    /// It was not sent.
    Not(HttpRequest),
}

/// A client or connector whose requests go over the early connection where they can. The other client is not even built
/// for these.
#[derive(Debug)]
struct WithEarly<T> {
    inner: T,
    early: Early,
}

impl HttpClient for WithEarly<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let client = self.inner.clone();
        let (settings, components) = (settings.clone(), components.clone());
        let inner: Otherwise = Arc::new(LazyLock::new(Box::new(move || {
            client.http_connector(&settings, &components)
        })));
        SharedHttpConnector::new(WithEarly { inner, early: self.early.clone() })
    }
}

/// The SDK's connector, made when it is needed.
type Otherwise =
    Arc<LazyLock<SharedHttpConnector, Box<dyn FnOnce() -> SharedHttpConnector + Send>>>;

impl HttpConnector for WithEarly<Otherwise> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (early, inner) = (self.early.clone(), Arc::clone(&self.inner));
        HttpConnectorFuture::new(async move {
            match early.call(request).await? {
                Answered::Here(response) => Ok(response),
                Answered::Not(request) => inner.call(request).await,
            }
        })
    }
}

impl Line {
    async fn open(origin: Origin) -> io::Result<Self> {
        let stream = connect(&origin).await?;
        stream.set_nodelay(true)?;
        let sender = if origin.tls {
            // Away from the screen's thread: the system's certificates are many.
            let config =
                tokio::task::spawn_blocking(tls_config).await.map_err(io::Error::other)??;
            let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
            driven(TlsConnector::from(Arc::new(config)).connect(name, stream).await?).await
        } else {
            driven(stream).await
        };
        Ok(Self { origin, sender: sender.map_err(io::Error::other)? })
    }
}

/// Connects to the first of a host's addresses that answers.
async fn connect(origin: &Origin) -> io::Result<TcpStream> {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    let mut last = io::ErrorKind::NotFound.into();
    for address in tokio::net::lookup_host((host, origin.port)).await? {
        match tokio::time::timeout(ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Speaks HTTP/1.1 on a connection from now on. Nothing is sent before the first request.
async fn driven<S>(stream: S) -> hyper::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, or when the other side closes it.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

/// What the SDK's client checks servers by: the system's roots, and those of `AWS_CA_BUNDLE`.
fn tls_config() -> io::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let bundle = ca_bundle().map_err(|fault| io::Error::other(fault.what))?;
    for certificate in
        bundle.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem).collect::<Vec<_>>())
    {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn origin(request: &HttpRequest) -> Option<Origin> {
    Origin::of(&request.uri().parse().ok()?)
}

/// A request as it goes over a connection: to a path, the host in a header. `None` where its body is a stream.
fn plain(request: &HttpRequest) -> Option<http::Request<Full<Bytes>>> {
    let (mut head, body) = request.try_clone()?.try_into_http1x().ok()?.into_parts();
    let body = Bytes::copy_from_slice(body.bytes()?);
    let authority = Origin::of(&head.uri)?.authority();
    if !head.headers.contains_key(HOST) {
        head.headers.insert(HOST, HeaderValue::from_str(&authority).ok()?);
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().ok()?;
    Some(http::Request::from_parts(head, Full::new(body)))
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, ConnectorError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ConnectorError::io(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_RESPONSE_BYTES {
            return Err(ConnectorError::other(TooLong.into(), None));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

//! HTTP that parses no certificate before the first request, and takes no answer that is larger than AWS's are.

use std::path::Path;
use std::sync::OnceLock;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

use super::receipt;

/// How long an answer may be. AWS's longest here is a page of trust policies.
pub(super) const MAX_RESPONSE_BYTES: usize = 4 << 20;

/// An answer is longer than that.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than 4 MiB")]
pub(super) struct TooLong;

/// For `http://`, without TLS or a proxy: what an SDK client takes, and what carries requests without one.
pub(super) fn plain() -> (SharedHttpClient, SharedHttpConnector) {
    let connector = Limited(SharedHttpConnector::new(Connector::builder().build_http()));
    (Limited(Builder::new().build_http()).into_shared(), SharedHttpConnector::new(connector))
}

/// The same for `https://`, built at their first request: the SDK's default client parses every root certificate at once.
pub(super) fn lazy_https() -> Result<(SharedHttpClient, SharedHttpConnector), Fault> {
    let bundle = ca_bundle()?;
    let connector = LazyHttps { inner: OnceLock::new(), bundle: bundle.clone() };
    let connector = Limited(SharedHttpConnector::new(connector));
    let client = LazyHttps { inner: OnceLock::new(), bundle };
    Ok((Limited(client.into_shared()).into_shared(), SharedHttpConnector::new(connector)))
}

/// A client or connector whose responses come whole and within the limit. Each is noted, too, for whoever keeps
/// evidence.
#[derive(Debug)]
struct Limited<T>(T);

impl HttpClient for Limited<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Limited(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Limited<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = sent.await?;
            receipt::note(&response);
            let body = whole(response.take_body()).await?;
            *response.body_mut() = SdkBody::from(body);
            Ok(response)
        })
    }
}

async fn whole(body: SdkBody) -> Result<Vec<u8>, ConnectorError> {
    let mut body = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(part) =
        body.try_next().await.map_err(|error| ConnectorError::io(error.into()))?
    {
        if bytes.len() + part.len() > MAX_RESPONSE_BYTES {
            return Err(ConnectorError::other(TooLong.into(), None));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

#[derive(Debug)]
struct LazyHttps<T> {
    inner: OnceLock<T>,
    bundle: Option<Vec<u8>>,
}

impl HttpConnector for LazyHttps<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let build =
            || SharedHttpConnector::new(https(&context(self.bundle.as_deref()), None, None));
        self.inner.get_or_init(build).call(request)
    }
}

impl HttpClient for LazyHttps<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.inner
            .get_or_init(|| build(self.bundle.as_deref()))
            .http_connector(settings, components)
    }
}

fn build(bundle: Option<&[u8]>) -> SharedHttpClient {
    let context = context(bundle);
    Builder::new()
        .build_with_connector_fn(move |settings, components| https(&context, settings, components))
}

fn context(bundle: Option<&[u8]>) -> TlsContext {
    let mut trust = TrustStore::default();
    if let Some(pem) = bundle {
        trust = trust.with_pem_certificate(pem.to_vec());
    }
    #[expect(clippy::expect_used, reason = "the PEM was checked; nothing else can fail")]
    TlsContext::builder().with_trust_store(trust).build().expect("a checked trust store")
}

fn https(
    context: &TlsContext,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let mut connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.clone())
        .proxy_config(ProxyConfig::from_env());
    connector.set_connector_settings(settings.cloned());
    if let Some(components) = components {
        connector.set_sleep_impl(components.sleep_impl());
    }
    connector.build()
}

/// The certificates that `AWS_CA_BUNDLE` names. They add to the system's roots; botocore's replace them.
pub(super) fn ca_bundle() -> Result<Option<Vec<u8>>, Fault> {
    std::env::var_os("AWS_CA_BUNDLE")
        .filter(|path| !path.is_empty())
        .map(|path| read_ca_bundle(Path::new(&path)))
        .transpose()
}

/// Reads a CA bundle and checks every certificate in it, since the SDK panics on a bad one.
pub fn read_ca_bundle(path: &Path) -> Result<Vec<u8>, Fault> {
    let shown = sanitize(&path.to_string_lossy());
    let wrong = |why: String| {
        Fault::new(Exit::Fault, format!("AWS_CA_BUNDLE is not usable: {shown}"))
            .because(why)
            .fix("point AWS_CA_BUNDLE at a PEM file of certificates, or unset it")
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|der| roots.add(der).map_err(|error| error.to_string()));
        added.map_err(|error| wrong(sanitize(&error)))?;
    }
    if roots.is_empty() {
        return Err(wrong("it contains no certificate".into()));
    }
    Ok(pem)
}

/// The proxy for `https://`.
pub(super) fn proxy() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(set)
}

/// What is between sekisho and AWS's own hosts, one line each, for the header, the code prompt and `status`.
pub fn detours(auth: &Auth) -> Vec<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut lines = Vec::new();
    if let Some(url) = &auth.endpoint_url {
        lines.push(format!("endpoint {}", sanitize(url)));
    }
    let plain = auth.endpoint_url.as_deref().is_some_and(|url| url.starts_with("http://"));
    if plain {
        return lines;
    }
    if let Some(proxy) = proxy() {
        let host = proxy.rsplit('@').next().unwrap_or_default(); // without user:password@
        lines.push(format!("proxy {}", sanitize(host)));
    }
    if let Some(bundle) = set("AWS_CA_BUNDLE") {
        lines.push(format!("extra CA {}", sanitize(&bundle)));
    }
    lines
}

//! HTTPS that parses no certificate before the first request.

use std::path::Path;
use std::sync::OnceLock;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// A client for `http://`, without TLS or a proxy.
pub(super) fn plain() -> SharedHttpClient {
    Builder::new().build_http()
}

/// A client that is built at its first request. The SDK's default client parses every root certificate at once.
pub(super) fn lazy_https() -> Result<SharedHttpClient, Fault> {
    Ok(LazyHttps { inner: OnceLock::new(), bundle: ca_bundle()? }.into_shared())
}

#[derive(Debug)]
struct LazyHttps {
    inner: OnceLock<SharedHttpClient>,
    bundle: Option<Vec<u8>>,
}

impl HttpClient for LazyHttps {
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

/// A connector for requests that no SDK client makes; the caller sets its own time limit.
pub(super) fn connector(plain: bool) -> Result<SharedHttpConnector, Fault> {
    Ok(SharedHttpConnector::new(if plain {
        Connector::builder().build_http()
    } else {
        https(&context(ca_bundle()?.as_deref()), None, None)
    }))
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
fn ca_bundle() -> Result<Option<Vec<u8>>, Fault> {
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
    let proxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(set);
    if let Some(proxy) = proxy {
        let host = proxy.rsplit('@').next().unwrap_or_default(); // without user:password@
        lines.push(format!("proxy {}", sanitize(host)));
    }
    if let Some(bundle) = set("AWS_CA_BUNDLE") {
        lines.push(format!("extra CA {}", sanitize(&bundle)));
    }
    lines
}

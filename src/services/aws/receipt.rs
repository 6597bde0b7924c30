//! AWS's request ids, which CloudTrail shows too, for those who keep evidence of a call.

use std::cell::RefCell;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;

use crate::domain::text::sanitize;

tokio::task_local! {
    static LAST: RefCell<Option<String>>;
}

/// Makes a call; with its answer comes the request id of the last response, if there was one.
pub async fn with_request_id<T>(call: impl Future<Output = T>) -> (T, Option<String>) {
    let noted = async {
        let answer = call.await;
        (answer, LAST.with(RefCell::take))
    };
    LAST.scope(RefCell::default(), noted).await
}

/// Notes the request id of a response, where somebody asked for it.
pub(super) fn note(response: &HttpResponse) {
    let headers = response.headers();
    let id = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .into_iter()
        .find_map(|name| headers.get(name));
    if let Some(id) = id {
        // Without a scope nobody asked.
        let _ = LAST.try_with(|last| *last.borrow_mut() = Some(sanitize(id)));
    }
}

/// A client whose responses are noted.
pub(super) fn noting(client: SharedHttpClient) -> SharedHttpClient {
    Noting(client).into_shared()
}

#[derive(Debug)]
struct Noting<T>(T);

impl HttpClient for Noting<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Noting(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Noting<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = sent.await?;
            note(&response);
            Ok(response)
        })
    }
}

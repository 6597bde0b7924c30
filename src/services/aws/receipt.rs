//! AWS's request ids, which CloudTrail shows too, for those who keep evidence of a call.

use std::cell::RefCell;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

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

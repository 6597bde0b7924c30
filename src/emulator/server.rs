//! HTTP/1.1 on loopback: bytes to [`Inbound`], [`Reply`] to bytes, and the faults in between.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::error::AwsError;
use super::faults::FaultInjection;
use super::state::{State, request_id};
use super::wire::{Inbound, Reply, SIGN_IN};
use super::{Call, lock};

/// No request here is near this size.
const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// The connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("reset on demand")]
struct Reset;

/// Serves until the sender of `stopped` is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    state: Arc<Mutex<State>>,
    stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(&state)));
                }
                // Probably out of file descriptors: wait until others are closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = accept => {}
    }
}

async fn connection(stream: TcpStream, state: Arc<Mutex<State>>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(respond(request, Arc::clone(&state))));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    if ended.is_err() {
        // Closing with nothing lingering sends RST in place of FIN.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn respond(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Reset> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BYTES)
        .collect()
        .await
        .map_err(|_| Reset)?
        .to_bytes()
        .to_vec();
    let (response, fault) = {
        let mut state = lock(&state);
        let (answer, id, fault) = state.answer(Inbound::read(parts, body));
        (response(&answer, &id, &state), fault)
    };
    let (delay, fault) = fault.map(FaultInjection::delayed).unwrap_or_default();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match fault {
        Some(FaultInjection::Reset) => return Err(Reset),
        Some(FaultInjection::Hang) => std::future::pending().await,
        _ => {}
    }
    Ok(response)
}

fn response(answer: &Reply, request_id: &str, state: &State) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body.clone())));
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    if let Some(location) =
        answer.location.as_ref().and_then(|location| HeaderValue::from_str(location).ok())
    {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    if let Some(kind) = answer.error_type {
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    }
    let date = state.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [
        (
            "content-type",
            if answer.content_type.is_empty() { "text/xml" } else { answer.content_type },
        ),
        ("date", &date),
        ("x-amzn-requestid", request_id),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(http::HeaderName::from_static(name), value);
        }
    }
    response
}

impl State {
    /// Answers a request, or applies the fault injected for it, and records the call.
    fn answer(
        &mut self,
        inbound: Result<Inbound, AwsError>,
    ) -> (Reply, String, Option<FaultInjection>) {
        let id = request_id();
        let inbound = match inbound {
            Ok(inbound) => inbound,
            Err(error) => {
                let (answer, code) = Reply::new("sts", "", Err(error), &id);
                self.calls.push(Call {
                    status: Some(answer.status),
                    error: code.map(Into::into),
                    ..Call::default()
                });
                return (answer, id, None);
            }
        };
        let fault = self.injections.take(&inbound.action);
        let wrap = |result| Reply::new(&inbound.service, &inbound.action, result, &id);
        let (answer, code) = match fault.as_ref().and_then(FaultInjection::instead) {
            Some(Ok(raw)) => (raw, None),
            Some(Err(error)) => wrap(Err(error)),
            None => {
                let (answer, code) = wrap(self.act(&inbound));
                match inbound.redirect(&answer.body).filter(|_| code.is_none()) {
                    Some(to) => (Reply { status: 302, location: Some(to), ..answer }, None),
                    None => (answer, code),
                }
            }
        };
        let lost = fault.as_ref().is_some_and(FaultInjection::loses_response);
        self.calls.push(Call {
            key: inbound.signature.as_ref().map(|signature| signature.key.clone()),
            status: (!lost).then_some(answer.status),
            error: code.map(Into::into),
            with_code: inbound.fields.get("TokenCode").is_some(),
            seconds: inbound.fields.get("DurationSeconds").and_then(|text| text.parse().ok()),
            role: inbound.fields.get("RoleArn").map(Into::into),
            unknown: std::mem::take(&mut self.unknown),
            service: inbound.service,
            action: inbound.action,
        });
        (answer, id, fault)
    }

    fn act(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        if inbound.service == SIGN_IN {
            return self.sign_in(inbound);
        }
        let caller = self.authenticate(inbound)?;
        match inbound.service.as_str() {
            "sts" => self.sts(inbound, &caller),
            "iam" => self.iam(inbound, &caller),
            "organizations" => self.organizations(inbound, &caller),
            "ec2" => self.ec2(inbound, &caller),
            "s3" => self.s3(inbound, &caller),
            _ => Err(AwsError::unknown_action(inbound)),
        }
    }
}

//! The AWS SDK for Rust as a client: no build of its own, since sekisho links it.

use std::io::Write;

use aws_config::BehaviorVersion;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::DisplayErrorContext;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector};

use crate::emulator::stage::run;

/// Prints who the SDK's default chain is, once for each line on stdin.
#[test]
#[ignore = "a program that `sdks` runs"]
fn who() {
    // As the SDK's own client, which this build leaves out, it takes the proxy from the environment.
    let http = Builder::new().build_with_connector_fn(|_, _| {
        Connector::builder().proxy_config(ProxyConfig::from_env()).build_http()
    });
    run(async {
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let sts = Client::new(&config);
        for _ in std::io::stdin().lines() {
            let line = match sts.get_caller_identity().send().await {
                Ok(answer) => answer.arn().unwrap_or_default().to_owned(),
                Err(error) => format!("error: {}", DisplayErrorContext(error)),
            };
            writeln!(std::io::stdout(), "{line}").unwrap();
        }
    });
}

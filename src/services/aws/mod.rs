//! AWS: the calls sekisho makes, and the only place that names the SDK.
//!
//! The SDK's own retries are off. A call with a code is never retried, since the first try may have spent the code; other
//! calls are retried when AWS throttles or fails, not when the network does.

mod answer;
pub mod credentials_file;
mod early;
mod failure;
mod fault_text;
mod federation;
mod http;
mod iam;
mod key_sources;
mod organizations;
mod probe;
mod receipt;
mod request;
mod roles;
pub mod shared_files;
mod token;

use std::future::Future;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::StalledStreamProtectionConfig;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::domain::account::Target;
use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{
    AccountId, Endpoints, MfaSerial, Partition, Region, SessionName, UserName,
};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};

use answer::Sender;
use early::{Early, Origin};

pub use answer::Received;
pub use failure::{Failure, FailureKind};
pub use fault_text::Doing;
pub use http::{detours, read_ca_bundle};
pub use iam::{AccountPolicies, LastUse};
pub use key_sources::{from_command, from_environment, from_profile, login_session};
pub use organizations::{ControlPolicy, ControlType};
pub use probe::Call;
pub use receipt::with_request_id;
pub use request::RawClient;
pub use roles::SHORTEST;
pub use shared_files::SharedFiles;
pub use token::{Granted, Tries};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a call may take, connection included.
const CALL: Duration = Duration::from_secs(10);
/// How a person sets the clock of this machine.
pub const SET_CLOCK: &str = if cfg!(target_os = "macos") {
    "sudo sntp -sS time.apple.com"
} else {
    "sudo timedatectl set-ntp true; in WSL: sudo hwclock -s"
};
/// The pauses before each retry of a throttled or failed call.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1200)];

/// Who signs a call.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// The IAM user's long-term key.
    Key(&'a AccessKey),
    /// A session's temporary credentials.
    Session(&'a Credentials),
}

impl Signer<'_> {
    /// The credentials as the SDK's type, which wipes itself.
    fn sdk(self) -> SdkCredentials {
        match self {
            Self::Key(key) => {
                SdkCredentials::new(key.id.as_str(), key.secret.expose(), None, None, "sekisho")
            }
            Self::Session(session) => SdkCredentials::new(
                session.id.as_str(),
                session.secret.expose(),
                Some(session.token.expose().to_owned()),
                None,
                "sekisho",
            ),
        }
    }
}

/// The answer of `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account that the caller belongs to.
    pub account: AccountId,
    /// The caller's ARN, as AWS sent it: sanitize it before showing it.
    pub arn: String,
    /// The IAM user's name; `None` for roles and root.
    pub user: Option<UserName>,
}

/// The client for one auth account.
pub struct Aws {
    region: Region,
    /// Something else than AWS's own endpoints.
    endpoint: Option<String>,
    endpoints: Endpoints,
    http: SharedHttpClient,
    early: Early,
    /// For requests that no SDK client makes.
    connector: SharedHttpConnector,
}

impl Aws {
    /// A client that neither connects nor parses certificates before the first call.
    ///
    /// Fails where the file in `AWS_CA_BUNDLE` contains no usable certificate.
    pub fn new(auth: &Auth) -> Result<Self, Fault> {
        Self::at(auth.region.clone(), auth.endpoint_url.clone(), auth.endpoints)
    }

    /// The same before there is a config. The endpoint must be one that a config takes.
    pub fn at(
        region: Region,
        endpoint: Option<String>,
        endpoints: Endpoints,
    ) -> Result<Self, Fault> {
        let plain = endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        let early = Early::default();
        let (http, connector) = if plain { http::plain() } else { http::lazy_https()? };
        Ok(Self { region, endpoint, endpoints, http: early.before(http), early, connector })
    }

    /// Starts to open a connection to STS for the calls to come: no request is made. That it fails, or is not needed, is no
    /// fault.
    pub fn open_line(&self) {
        let url = match &self.endpoint {
            Some(url) => url.clone(),
            None => format!("https://{}", self.sts_host()),
        };
        if let Some(origin) = url.parse().ok().and_then(|uri| Origin::of(&uri)) {
            self.early.open(origin);
        }
    }

    /// The host that STS is called at.
    pub fn sts_host(&self) -> String {
        let Some(url) = &self.endpoint else {
            return self.endpoints.host("sts", &self.region).0;
        };
        let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        crate::domain::text::sanitize(host.split('/').next().unwrap_or_default())
    }

    /// The host that answers instead of AWS: an emulator's.
    pub fn emulator_host(&self) -> Option<String> {
        (!self.is_aws(self.region.partition())).then(|| self.sts_host())
    }

    /// Whether AWS itself answers for a partition: also at an endpoint in a VPC of one's own.
    fn is_aws(&self, partition: Partition) -> bool {
        let Some(url) = &self.endpoint else { return true };
        let host = url.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        host.ends_with(&format!(".{}", partition.host_suffix()))
    }

    fn sender(&self) -> Sender {
        if self.is_aws(self.region.partition()) { Sender::Aws } else { Sender::Emulator }
    }

    /// `sts:GetCallerIdentity`, which no policy can deny.
    pub async fn caller_identity(&self, signer: Signer<'_>) -> Result<CallerIdentity, Failure> {
        let client = self.sts(signer);
        let answer = retry_busy(|| client.get_caller_identity().send()).await?;
        let arn = answer.arn().unwrap_or_default().to_owned();
        let account = answer.account().and_then(|id| id.parse().ok());
        let user =
            arn.split_once(":user/").and_then(|(_, path)| path.rsplit('/').next()?.parse().ok());
        match account {
            Some(account) => Ok(CallerIdentity { account, arn, user }),
            None => Err(Failure::garbled("sts:GetCallerIdentity")),
        }
    }

    /// `sts:GetSessionToken` with a code: one code for every account.
    pub async fn session_token(
        &self,
        key: &AccessKey,
        serial: &MfaSerial,
        code: &MfaCode,
        life: Duration,
    ) -> Result<Received, Failure> {
        let answer = self
            .sts(Signer::Key(key))
            .get_session_token()
            .duration_seconds(seconds(life))
            .serial_number(serial.as_str())
            .token_code(code.expose())
            .send()
            .await
            .map_err(|error| Failure::of(&error).asked_with_code())?;
        Received::read(answer.credentials(), life, self.sender(), "sts:GetSessionToken")
    }

    /// `sts:AssumeRole`: with the auth session, or with the key and a code.
    pub async fn assume_role(
        &self,
        signer: Signer<'_>,
        target: &Target,
        life: Duration,
        name: &SessionName,
        code: Option<(&MfaSerial, &MfaCode)>,
    ) -> Result<Received, Failure> {
        let client = self.sts(signer);
        let scope = target.session.scope;
        let partition = target.role.partition().parse().ok().and_then(|p| scope.policy_arn(p));
        let policies = partition.iter().chain(&target.session.policy_arns);
        let call = client
            .assume_role()
            .role_arn(target.role.as_str())
            .role_session_name(name.as_str())
            .duration_seconds(seconds(life))
            .set_external_id(target.session.external_id.as_ref().map(ToString::to_string))
            .set_source_identity(target.session.source_identity.as_ref().map(ToString::to_string))
            .set_policy(target.session.policy.clone())
            .set_policy_arns(some(
                policies.map(|arn| PolicyDescriptorType::builder().arn(arn.as_str()).build()),
            ))
            .set_tags(some(
                target
                    .session
                    .tags
                    .iter()
                    .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()),
            ))
            .set_transitive_tag_keys(some(target.session.transitive_tags.iter().cloned()));
        let answer = match code {
            Some((serial, code)) => call
                .serial_number(serial.as_str())
                .token_code(code.expose())
                .send()
                .await
                .map_err(|error| Failure::of(&error).asked_with_code())?,
            None => retry_busy(|| call.clone().send()).await?,
        };
        let assumed =
            answer.assumed_role_user().map(|user| user.arn().to_owned()).unwrap_or_default();
        if !target.role.is_assumed_by(&assumed) {
            return Err(Failure::garbled("sts:AssumeRole")
                .because(&format!("it returned a session of {assumed}, not of {}", target.role)));
        }
        Received::read(answer.credentials(), life, self.sender(), "sts:AssumeRole")
    }

    fn sts(&self, signer: Signer<'_>) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(signer))
    }

    fn config(&self, signer: Signer<'_>) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(self.region.to_string()))
            .credentials_provider(SharedCredentialsProvider::new(signer.sdk()))
            .http_client(self.http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .app_name(app_name());
        match &self.endpoint {
            Some(url) => config.set_endpoint_url(Some(url.clone())),
            None => config
                .set_use_fips(Some(self.endpoints.is_fips()))
                .set_use_dual_stack(Some(self.endpoints.is_dual_stack())),
        };
        config.build()
    }
}

/// Retries a call when AWS throttles or fails. Never used for a call with a code.
async fn retry_busy<T, E, F>(mut call: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    for pause in PAUSES {
        match call().await.map_err(|error| Failure::of(&error)) {
            Err(failure) if failure.kind == FailureKind::Busy => tokio::time::sleep(pause).await,
            done => return done,
        }
    }
    call().await.map_err(|error| Failure::of(&error))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(CALL).build()
}

/// What CloudTrail and `GuardDuty` see beside the SDK's own user agent.
fn app_name() -> AppName {
    #[expect(clippy::expect_used, reason = "a constant that fits the grammar")]
    AppName::new("sekisho").expect("letters only")
}

fn seconds(life: Duration) -> i32 {
    i32::try_from(life.as_secs()).unwrap_or(i32::MAX)
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// The fault of a key that is not a long-term one.
fn not_long_term(origin: &str) -> Fault {
    Fault::new(Exit::Usage, format!("{origin} contains a session, not an access key"))
        .because("its key id starts with ASIA, or it has a session token")
        .because("signing in with a code needs an IAM user's long-term key")
        .fix("point `auth.key` at the long-term key (AKIA…)")
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::config::endpoint as sts;

    use super::*;
    use crate::domain::config::KeySource;

    fn aws(region: &str, endpoint: Option<&str>) -> Aws {
        let auth = Auth {
            region: region.parse().unwrap(),
            endpoint_url: endpoint.map(str::to_owned),
            ..Auth::sample(KeySource::Env)
        };
        Aws::new(&auth).unwrap()
    }

    #[test]
    fn each_partition_signs_in_at_its_own_hosts() {
        use crate::services::console::FormerSession::{Kept, SignedOut};
        for (region, sign_in, console) in [
            ("ap-northeast-1", "signin.aws.amazon.com", "console.aws.amazon.com"),
            ("cn-north-1", "signin.amazonaws.cn", "console.amazonaws.cn"),
            ("us-gov-west-1", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
            // Regional: there is no global host.
            (
                "eusc-de-east-1",
                "eusc-de-east-1.signin.amazonaws-eusc.eu",
                "console.amazonaws-eusc.eu",
            ),
        ] {
            let aws_here = aws(region, None);
            let partition = aws_here.region.partition();
            let site = aws_here.console(partition, Kept).unwrap();
            assert_eq!(site.federation(), format!("https://{sign_in}/federation"), "{region}");
            assert_eq!(site.console, format!("https://{console}"), "{region}");
            let emulated = aws(region, Some("http://127.0.0.1:5601/")).console(partition, Kept);
            assert_eq!(emulated.unwrap().sign_in, "http://127.0.0.1:5601", "{region}");
            match aws_here.console(partition, SignedOut) {
                Ok(site) => assert_eq!(
                    (site.sign_in.as_str(), region),
                    ("https://us-east-1.signin.aws.amazon.com", "ap-northeast-1")
                ),
                Err(fault) => {
                    assert!(region != "ap-northeast-1" && fault.what.contains(partition.name()));
                }
            }
        }
        assert!(aws("us-iso-east-1", None).console(Partition::Iso, Kept).is_err());
    }

    #[test]
    fn an_endpoint_in_a_vpc_is_aws_own_and_an_emulator_is_not() {
        let at = |url| aws("eu-west-1", url).sender();
        assert_eq!(at(None), Sender::Aws);
        assert_eq!(at(Some("https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/x")), Sender::Aws);
        for url in [
            "http://127.0.0.1:5601",
            "https://amazonaws.com.example.org",
            "https://example.org/.amazonaws.com",
        ] {
            assert_eq!(at(Some(url)), Sender::Emulator, "{url}");
        }
        let china = aws("cn-north-1", Some("https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"));
        assert_eq!(china.sender(), Sender::Emulator, "another partition's");
    }

    /// The host in an SDK's URL.
    fn host(url: &str) -> String {
        url.strip_prefix("https://").unwrap().trim_end_matches('/').to_owned()
    }

    #[test]
    fn hosts_are_those_of_the_sdk() {
        use sts::ResolveEndpoint as _;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for region in
            ["ap-northeast-1", "us-east-1", "cn-north-1", "us-gov-east-1", "eusc-de-east-1"]
        {
            for (fips, dual) in [(false, false), (true, false), (false, true), (true, true)] {
                let word = |on: bool| on.then_some("true");
                let endpoints = Endpoints::of(word(fips), word(dual));
                let region: Region = region.parse().unwrap();
                let params = sts::Params::builder()
                    .region(region.to_string())
                    .use_fips(fips)
                    .use_dual_stack(dual)
                    .build()
                    .unwrap();
                let resolver = sts::DefaultResolver::new();
                let found = runtime.block_on(resolver.resolve_endpoint(&params)).unwrap();
                assert_eq!(endpoints.host("sts", &region).0, host(found.url()));
            }
        }
    }
}

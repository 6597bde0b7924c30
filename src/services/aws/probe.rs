//! `verify`'s probes: calls that a bare key must not be able to make, of which only success or failure matters.
//!
//! None changes anything: they read, or set `DryRun`. See `docs/aws-facts.md` §8.

use super::request::{RawClient, Request};
use super::{Failure, Signer};

/// A call that a bare key must not be able to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `s3:ListAllMyBuckets`
    ListBuckets,
    /// `ec2:DescribeRegions`
    DescribeRegions,
    /// `iam:ListUsers`
    ListUsers,
    /// `iam:GetAccountSummary`
    AccountSummary,
    /// `organizations:DescribeOrganization`
    DescribeOrganization,
    /// `ec2:RunInstances`, with `DryRun`.
    RunInstances,
    /// `ec2:CreateInternetGateway`, with `DryRun`: it needs no existing resource.
    CreateInternetGateway,
    /// `sts:GetFederationToken` with a policy that denies everything, for 15 min; the answer is not read.
    FederationToken,
}

/// A policy that allows nothing.
pub(super) const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

impl Call {
    /// The action, as policies name it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::DescribeRegions => "ec2:DescribeRegions",
            Self::ListUsers => "iam:ListUsers",
            Self::AccountSummary => "iam:GetAccountSummary",
            Self::DescribeOrganization => "organizations:DescribeOrganization",
            Self::RunInstances => "ec2:RunInstances",
            Self::CreateInternetGateway => "ec2:CreateInternetGateway",
            Self::FederationToken => "sts:GetFederationToken",
        }
    }

    fn request(self) -> Request<'static> {
        const DRY: (&str, &str) = ("DryRun", "true");
        let ec2 = |action, fields: &[_]| Request::query("ec2", "2016-11-15", action, fields);
        match self {
            Self::ListBuckets => Request::get("s3"),
            Self::DescribeOrganization => {
                let target = "AWSOrganizationsV20161128.DescribeOrganization";
                Request::json("organizations", target, "{}".into())
            }
            Self::DescribeRegions => ec2("DescribeRegions", &[]),
            Self::ListUsers => super::iam::query("ListUsers", &[("MaxItems", "1")]),
            Self::AccountSummary => super::iam::query("GetAccountSummary", &[]),
            Self::RunInstances => ec2(
                "RunInstances",
                &[
                    DRY,
                    ("ImageId", "ami-00000000000000000"),
                    ("InstanceType", "t3.nano"),
                    ("MinCount", "1"),
                    ("MaxCount", "1"),
                ],
            ),
            Self::CreateInternetGateway => ec2("CreateInternetGateway", &[DRY]),
            Self::FederationToken => sts(
                "GetFederationToken",
                &[("Name", "sekisho-verify"), ("DurationSeconds", "900"), ("Policy", DENY_ALL)],
            ),
        }
    }
}

fn sts(action: &str, fields: &[(&str, &str)]) -> Request<'static> {
    Request::query("sts", "2011-06-15", action, fields)
}

impl RawClient<'_> {
    /// Makes a call; `Ok` if AWS allowed it. Throttled calls are retried.
    pub async fn probe(&self, signer: Signer<'_>, call: Call) -> Result<(), Failure> {
        // The answer, and any credentials in it, is dropped unread.
        self.send_retrying(signer, &call.request()).await.map(drop)
    }

    /// `sts:GetCallerIdentity` with a mark in the user agent, which CloudTrail keeps.
    pub async fn leave_mark(&self, signer: Signer<'_>, mark: &str) -> Result<(), Failure> {
        let request = sts("GetCallerIdentity", &[]);
        self.marked(mark).send_retrying(signer, &request).await.map(drop)
    }
}

//! The few EC2 and S3 calls with which `verify` tries whether a key opens anything.

use super::caller::Caller;
use super::encoding::{element, nest};
use super::error::AwsError;
use super::pattern::Keys;
use super::rules::{Grant, RequestedAction};
use super::state::State;
use super::wire::Inbound;

impl State {
    pub(super) fn ec2(&mut self, inbound: &Inbound, caller: &Caller) -> Result<String, AwsError> {
        let (action, account) = (inbound.action.as_str(), caller.account(&self.organization));
        let (resource, keys) = match action {
            "DescribeRegions" => ("*".to_owned(), Keys::new()),
            "RunInstances" => {
                let partition = &self.organization.partition;
                let kind = inbound.fields.get("InstanceType").unwrap_or("m1.small").to_owned();
                (
                    format!("arn:{partition}:ec2:{}:{account}:instance/*", caller.region),
                    Keys::from([("ec2:instancetype".to_owned(), vec![kind])]),
                )
            }
            _ => return Err(AwsError::unknown_action(inbound)),
        };
        let requested = RequestedAction {
            action: &inbound.permission(),
            resource: &resource,
            grant: Grant::Identity,
            keys,
            code_passed: false,
        };
        self.authorise(caller, &requested)?;
        if inbound.fields.get("DryRun") == Some("true") {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(AwsError::new(412, "DryRunOperation", text));
        }
        if action == "RunInstances" {
            let text = "The emulated organization starts no instances: send DryRun=true.";
            return Err(AwsError::new(400, "UnsupportedOperation", text));
        }
        let region = |name: &str| {
            nest(
                "item",
                &(element("regionName", name)
                    + &element("regionEndpoint", format!("ec2.{name}.amazonaws.com"))
                    + &element("optInStatus", "opt-in-not-required")),
            )
        };
        let regions: String = ["eu-west-1", "us-east-1", "ap-northeast-1"].map(region).concat();
        Ok(nest("regionInfo", &regions))
    }

    pub(super) fn s3(&mut self, inbound: &Inbound, caller: &Caller) -> Result<String, AwsError> {
        if inbound.parts.method != http::Method::GET || inbound.parts.uri.path() != "/" {
            let text = "A header you provided implies functionality that is not implemented.";
            return Err(AwsError::new(501, "NotImplemented", text));
        }
        let requested = RequestedAction {
            action: "s3:ListAllMyBuckets",
            resource: &format!("arn:{}:s3:::*", self.organization.partition),
            grant: Grant::Identity,
            keys: Keys::new(),
            code_passed: false,
        };
        self.authorise(caller, &requested)?;
        Ok(nest("Owner", &element("ID", caller.account(&self.organization))) + &nest("Buckets", ""))
    }
}

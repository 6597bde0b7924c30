//! What completion offers for options that take other values, too.

use std::error::Error;
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// The regions of the public partitions, as botocore 1.43 knows them; newer ones are taken, too.
pub const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// Services by their names in the console's URLs: those in most use.
pub const SERVICES: &[&str] = &[
    "acm",
    "apigateway",
    "athena",
    "backup",
    "batch",
    "bedrock",
    "billing",
    "cloudformation",
    "cloudfront",
    "cloudshell",
    "cloudtrail",
    "cloudwatch",
    "codesuite",
    "cognito",
    "config",
    "cost-management",
    "dynamodbv2",
    "ec2",
    "ecr",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elasticbeanstalk",
    "events",
    "glue",
    "guardduty",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "organizations",
    "rds",
    "redshiftv2",
    "route53",
    "s3",
    "sagemaker",
    "secretsmanager",
    "securityhub",
    "servicequotas",
    "ses",
    "singlesignon",
    "sns",
    "sqs",
    "states",
    "support",
    "systems-manager",
    "vpc",
    "wafv2",
];

/// Reads a value of type `T`, of which some are suggested.
pub struct Suggested<T> {
    values: &'static [&'static str],
    kind: PhantomData<fn() -> T>,
}

impl<T> Suggested<T> {
    /// A parser that suggests these.
    pub const fn of(values: &'static [&'static str]) -> Self {
        Self { values, kind: PhantomData }
    }
}

impl<T> Clone for Suggested<T> {
    fn clone(&self) -> Self {
        Self::of(self.values)
    }
}

impl<T> TypedValueParser for Suggested<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        T::from_str.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.values.iter().copied().map(PossibleValue::new)))
    }
}

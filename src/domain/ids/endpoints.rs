//! The host names of AWS's own endpoints.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>; the host of each service as its SDK resolves it.

use serde::{Deserialize, Serialize};

use super::{Partition, Region};

/// Which of AWS's endpoints are called: `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoints {
    /// Neither is set.
    #[default]
    Standard,
    /// With cryptography that is validated for US authorities.
    Fips,
    /// Over IPv6, too.
    DualStack,
    /// Both.
    FipsDualStack,
}

impl Endpoints {
    /// What the two variables ask for; anything but `true` counts as not set.
    pub fn of(fips: Option<&str>, dual_stack: Option<&str>) -> Self {
        let is_on = |value: Option<&str>| value.is_some_and(|it| it.eq_ignore_ascii_case("true"));
        match (is_on(fips), is_on(dual_stack)) {
            (false, false) => Self::Standard,
            (true, false) => Self::Fips,
            (false, true) => Self::DualStack,
            (true, true) => Self::FipsDualStack,
        }
    }

    /// Whether they are those that everybody calls.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }

    /// Whether `AWS_USE_FIPS_ENDPOINT` is on.
    pub fn is_fips(self) -> bool {
        matches!(self, Self::Fips | Self::FipsDualStack)
    }

    /// Whether `AWS_USE_DUALSTACK_ENDPOINT` is on.
    pub fn is_dual_stack(self) -> bool {
        matches!(self, Self::DualStack | Self::FipsDualStack)
    }

    /// A name for each kind but the standard one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Standard => None,
            Self::Fips => Some("fips"),
            Self::DualStack => Some("dualstack"),
            Self::FipsDualStack => Some("fips, dualstack"),
        }
    }

    /// A service's host, and the region that its requests are signed for.
    pub fn host(self, service: &str, region: &Region) -> (String, Region) {
        let partition = region.partition();
        let home = match (partition, service) {
            (Partition::China, "organizations") => "cn-northwest-1".parse().ok(),
            (_, "iam" | "organizations") => Some(partition.home()),
            _ => None,
        };
        let region = home.unwrap_or_else(|| region.clone());
        // What GovCloud runs is validated as it is.
        let is_plain = match (partition, service) {
            (Partition::GovCloud, "sts") => !self.is_dual_stack(),
            (Partition::GovCloud, _) => true,
            _ => false,
        };
        let fips = if self.is_fips() && !is_plain { "-fips" } else { "" };
        let place = match (service, partition, self) {
            ("iam", Partition::GovCloud, _) => "us-gov.".to_owned(),
            ("iam", Partition::Aws, Self::Standard | Self::Fips) => String::new(),
            ("iam", Partition::Aws, _) | ("iam", _, Self::DualStack) => "global.".into(),
            ("iam", Partition::Iso | Partition::IsoB, _) | ("iam", _, Self::Standard) => {
                format!("{region}.")
            }
            ("iam", ..) => String::new(),
            ("s3", _, Self::DualStack | Self::FipsDualStack) => format!("dualstack.{region}."),
            _ => format!("{region}."),
        };
        let suffix = match service {
            "s3" => partition.host_suffix(),
            _ if self.is_dual_stack() => partition.dual_stack_suffix(),
            _ => partition.host_suffix(),
        };
        (format!("{service}{fips}.{place}{suffix}"), region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_true_turns_one_on() {
        assert_eq!(Endpoints::of(None, None), Endpoints::Standard);
        assert_eq!(Endpoints::of(Some("TRUE"), Some("false")), Endpoints::Fips);
        assert_eq!(Endpoints::of(Some("1"), Some("true")), Endpoints::DualStack);
        assert_eq!(Endpoints::of(Some("true"), Some("True")), Endpoints::FipsDualStack);
        assert_eq!(Endpoints::of(Some(""), Some("yes")), Endpoints::Standard);
    }

    /// Hosts of services that sekisho calls without an SDK: AWS's tables of endpoints.
    #[test]
    fn services_without_an_sdk_are_called_where_aws_has_them() {
        for (endpoints, service, region, host) in [
            (Endpoints::Standard, "s3", "eu-west-1", "s3.eu-west-1.amazonaws.com"),
            (Endpoints::Fips, "s3", "us-east-2", "s3-fips.us-east-2.amazonaws.com"),
            (Endpoints::DualStack, "s3", "eu-west-1", "s3.dualstack.eu-west-1.amazonaws.com"),
            (
                Endpoints::FipsDualStack,
                "s3",
                "us-east-2",
                "s3-fips.dualstack.us-east-2.amazonaws.com",
            ),
            (Endpoints::Fips, "ec2", "us-west-2", "ec2-fips.us-west-2.amazonaws.com"),
            (Endpoints::DualStack, "ec2", "eu-west-1", "ec2.eu-west-1.api.aws"),
            (Endpoints::Fips, "ec2", "us-gov-east-1", "ec2.us-gov-east-1.amazonaws.com"),
            (
                Endpoints::Standard,
                "organizations",
                "ap-northeast-1",
                "organizations.us-east-1.amazonaws.com",
            ),
            (
                Endpoints::Fips,
                "organizations",
                "us-west-2",
                "organizations-fips.us-east-1.amazonaws.com",
            ),
            (
                Endpoints::Standard,
                "organizations",
                "cn-north-1",
                "organizations.cn-northwest-1.amazonaws.com.cn",
            ),
        ] {
            let region: Region = region.parse().unwrap();
            assert_eq!(endpoints.host(service, &region).0, host, "{endpoints:?}");
        }
    }

    /// As aws-sdk-iam 1.133 resolves them; in the order standard, FIPS, dual stack, both.
    #[test]
    fn iam_is_called_at_its_partitions_only_host() {
        use Endpoints::{DualStack, Fips, FipsDualStack, Standard};
        for (region, hosts) in [
            (
                "ap-northeast-1",
                [
                    "iam.amazonaws.com",
                    "iam-fips.amazonaws.com",
                    "iam.global.api.aws",
                    "iam-fips.global.api.aws",
                ],
            ),
            (
                "cn-north-1",
                [
                    "iam.cn-north-1.amazonaws.com.cn",
                    "iam-fips.amazonaws.com.cn",
                    "iam.global.api.amazonwebservices.com.cn",
                    "iam-fips.api.amazonwebservices.com.cn",
                ],
            ),
            (
                "us-gov-east-1",
                [
                    "iam.us-gov.amazonaws.com",
                    "iam.us-gov.amazonaws.com",
                    "iam.us-gov.api.aws",
                    "iam.us-gov.api.aws",
                ],
            ),
            (
                "eusc-de-east-1",
                [
                    "iam.eusc-de-east-1.amazonaws.eu",
                    "iam-fips.amazonaws.eu",
                    "iam.global.api.amazonwebservices.eu",
                    "iam-fips.api.amazonwebservices.eu",
                ],
            ),
        ] {
            let region: Region = region.parse().unwrap();
            let found =
                [Standard, Fips, DualStack, FipsDualStack].map(|it| it.host("iam", &region).0);
            assert_eq!(found, hosts, "{region}");
        }
    }
}

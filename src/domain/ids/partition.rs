//! Regions, and the partitions they belong to: AWS's `partitions.json`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Malformed, malformed};

/// A part of AWS with its own accounts, credentials and host names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Partition {
    /// `aws`
    #[default]
    Aws,
    /// `aws-cn`
    China,
    /// `aws-us-gov`
    GovCloud,
    /// `aws-eusc`
    EuSovereign,
    /// `aws-iso`
    Iso,
    /// `aws-iso-b`
    IsoB,
    /// `aws-iso-e`
    IsoE,
    /// `aws-iso-f`
    IsoF,
}

impl Partition {
    /// Every partition, as the SDK's table has them.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::China,
        Self::GovCloud,
        Self::EuSovereign,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
    ];

    /// The name in ARNs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// The region where its IAM is.
    /// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
    pub fn home(self) -> Region {
        let region = match self {
            Self::Aws => "us-east-1",
            Self::China => "cn-north-1",
            Self::GovCloud => "us-gov-west-1",
            Self::EuSovereign => "eusc-de-east-1",
            Self::Iso => "us-iso-east-1",
            Self::IsoB => "us-isob-east-1",
            Self::IsoE => "eu-isoe-west-1",
            Self::IsoF => "us-isof-south-1",
        };
        Region(region.into())
    }

    /// What follows `sts.REGION.` in the regional endpoint's host.
    pub const fn host_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::EuSovereign => "amazonaws.eu",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
        }
    }

    /// The same for endpoints that are also reached over IPv6.
    pub const fn dual_stack_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "api.aws",
            Self::China => "api.amazonwebservices.com.cn",
            Self::EuSovereign => "api.amazonwebservices.eu",
            Self::Iso => "api.aws.ic.gov",
            Self::IsoB => "api.aws.scloud",
            Self::IsoE => "api.cloud-aws.adc-e.uk",
            Self::IsoF => "api.aws.hci.ic.gov",
        }
    }

    /// The hosts of the console's sign-in and of the console; none where neither is public.
    /// <https://docs.aws.amazon.com/general/latest/gr/signin-service.html>
    pub const fn console_hosts(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Aws => Some(("signin.aws.amazon.com", "console.aws.amazon.com")),
            Self::China => Some(("signin.amazonaws.cn", "console.amazonaws.cn")),
            Self::GovCloud => Some(("signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com")),
            Self::EuSovereign => {
                Some(("eusc-de-east-1.signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu"))
            }
            Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => None,
        }
    }

    /// What follows the region in the host where a program is let in by a console sign-in, as AWS's own clients have it. AWS
    /// says that it is there in the commercial regions; whether the others' hosts answer, nobody has said.
    pub const fn sign_in_suffix(self) -> &'static str {
        match self {
            Self::Aws => "signin.aws.amazon.com",
            Self::China => "signin.amazonaws.cn",
            Self::GovCloud => "signin.amazonaws-us-gov.com",
            Self::EuSovereign => "signin.amazonaws-eusc.eu",
            Self::Iso => "signin.c2shome.ic.gov",
            Self::IsoB => "signin.sc2shome.sgov.gov",
            Self::IsoE => "signin.csphome.adc-e.uk",
            Self::IsoF => "signin.csphome.hci.ic.gov",
        }
    }

    /// The sign-in host where a browser can be signed out on its way to another sign-in; none where no tool is known to do
    /// that. AWS documents no such host: aws-vault and Leapp use this one.
    pub const fn sign_out_host(self) -> Option<&'static str> {
        match self {
            Self::Aws => Some("us-east-1.signin.aws.amazon.com"),
            Self::China
            | Self::GovCloud
            | Self::EuSovereign
            | Self::Iso
            | Self::IsoB
            | Self::IsoE
            | Self::IsoF => None,
        }
    }

    fn of(region: &str) -> Option<Self> {
        let (rest, number) = region.rsplit_once('-')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (area, place) = rest.rsplit_once('-')?;
        if place.is_empty() || !place.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        Some(match area {
            "us" | "eu" | "ap" | "sa" | "ca" | "me" | "af" | "il" | "mx" => Self::Aws,
            "cn" => Self::China,
            "us-gov" => Self::GovCloud,
            "eusc-de" => Self::EuSovereign,
            "us-iso" => Self::Iso,
            "us-isob" => Self::IsoB,
            "eu-isoe" => Self::IsoE,
            "us-isof" => Self::IsoF,
            _ => return None,
        })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

as_text!(Partition);

impl FromStr for Partition {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.name() == text)
            .ok_or_else(|| Malformed("no such AWS partition".into()))
    }
}

text_id!(
    /// An AWS region, e.g. `ap-northeast-1`.
    Region,
    |text| match Partition::of(text) {
        Some(_) => Ok(()),
        None => malformed("not an AWS region, which looks like ap-northeast-1"),
    }
);

impl Region {
    /// The partition this region belongs to.
    pub fn partition(&self) -> Partition {
        Partition::of(self.as_str()).unwrap_or(Partition::Aws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_tell_their_partition() {
        for (region, partition) in [
            ("ap-northeast-1", Partition::Aws),
            ("cn-north-1", Partition::China),
            ("us-gov-west-1", Partition::GovCloud),
            ("eusc-de-east-1", Partition::EuSovereign),
            ("us-isob-east-1", Partition::IsoB),
        ] {
            assert_eq!(region.parse::<Region>().unwrap().partition(), partition, "{region}");
        }
        for wrong in ["us-east1", "", "us-east-", "mars-north-1", "us--1", "us-east-1/x"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}

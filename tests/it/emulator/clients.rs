//! Clients that nobody here wrote: boto3 and the aws CLI.

use std::path::Path;
use std::process::{Command, Output};

use sekisho::emulator::{
    Account, AccountStatus, ControlKind, ControlPolicy, Emulator, Group, Organization, Policy,
};

use super::stage::*;
use crate::support::program;

/// A command without a home and without settings.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", std::env::temp_dir().join("sekisho-nobody"));
    command
}

/// A command that sees the emulator and Alice's key.
fn command(program: &Path, emulator: &Emulator) -> Command {
    let mut command = bare(program);
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_ENDPOINT_URL", emulator.url())
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1");
    command
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.trim().to_owned()
}

/// Runs a script that prints one line a step; without Python or boto3 it skips aloud.
fn script(emulator: &Emulator, text: &str) -> Option<String> {
    let python = program("python3")?;
    let code = emulator.code(PHONE).unwrap();
    let whole = format!("{PRELUDE}\n{text}");
    let output =
        command(&python, emulator).args(["-c", &whole, PHONE, &code, ROLE]).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("No module named 'boto3'") {
        // Reported like a missing program, under its own name.
        return program("boto3").map(|_| unreachable!("a module is no program"));
    }
    Some(said(&output))
}

const PRELUDE: &str = r#"
import sys, boto3
from botocore.exceptions import ClientError
phone, code, role = sys.argv[1:4]

def client(name, c=None):
    if c is None:
        return boto3.client(name)
    return boto3.client(name, aws_access_key_id=c["AccessKeyId"],
        aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])

def attempt(call, **arguments):
    try:
        return call(**arguments)
    except ClientError as e:
        return "%s %s" % (e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"])

def mfa():
    return client("sts").get_session_token(SerialNumber=phone, TokenCode=code)["Credentials"]

def enter(session, **more):
    return client("sts", session).assume_role(RoleArn=role, RoleSessionName="alice", **more)["Credentials"]
"#;

#[test]
fn boto3_enters_a_role() {
    let emulator = start(|_| {});
    let Some(text) = script(
        &emulator,
        r#"
session = mfa()
answer = client("sts", session).assume_role(RoleArn=role, RoleSessionName="alice")
print(answer["AssumedRoleUser"]["Arn"], answer["Credentials"]["Expiration"].utcoffset())
print(client("sts", answer["Credentials"]).get_caller_identity()["Arn"])
print(attempt(client("sts").get_session_token, SerialNumber=phone, TokenCode=code))
print(attempt(client("sts").assume_role, RoleArn=role, RoleSessionName="alice"))
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!(text, @"
    arn:aws:sts::222222222222:assumed-role/Developer/alice 0:00:00
    arn:aws:sts::222222222222:assumed-role/Developer/alice
    403 AccessDenied
    403 AccessDenied
    ");
}

#[test]
fn boto3_minds_the_keys() {
    let emulator = start(|organization| {
        permit(organization, allow("iam:*", "arn:aws:iam::*:user/alice"));
    });
    let Some(text) = script(
        &emulator,
        r#"
iam = client("iam", mfa())
print([d["SerialNumber"] for d in iam.list_mfa_devices()["MFADevices"]])
print(iam.get_user()["User"]["Arn"])
old = iam.list_access_keys()["AccessKeyMetadata"][0]["AccessKeyId"]
print(old, iam.get_access_key_last_used(AccessKeyId=old)["AccessKeyLastUsed"]["ServiceName"])
new = iam.create_access_key(UserName="alice")["AccessKey"]
print(new["Status"], len(new["AccessKeyId"]), len(new["SecretAccessKey"]))
print(attempt(iam.create_access_key))
print(boto3.client("sts", aws_access_key_id=new["AccessKeyId"], aws_secret_access_key=new["SecretAccessKey"]).get_caller_identity()["Arn"])
iam.update_access_key(AccessKeyId=old, Status="Inactive")
print(attempt(client("sts").get_caller_identity))
iam.update_access_key(AccessKeyId=old, Status="Active")
print(client("sts").get_caller_identity()["Account"])
iam.delete_access_key(AccessKeyId=old)
print(attempt(client("sts").get_caller_identity))
print(attempt(iam.update_access_key, AccessKeyId=old, Status="Active"))
print([k["Status"] for k in iam.list_access_keys()["AccessKeyMetadata"]])
print(attempt(iam.list_users), attempt(iam.list_mfa_devices, UserName="bob"))
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!(text, @"
    ['arn:aws:iam::111111111111:mfa/alice-phone', 'GAHT12345678', 'arn:aws:iam::111111111111:u2f/user/alice/key-ABC']
    arn:aws:iam::111111111111:user/alice
    AKIAALICE00000000001 sts
    Active 20 40
    409 LimitExceeded
    arn:aws:iam::111111111111:user/alice
    403 InvalidClientTokenId
    111111111111
    403 InvalidClientTokenId
    404 NoSuchEntity
    ['Active']
    403 AccessDenied 403 AccessDenied
    ");
}

#[test]
fn boto3_meets_the_identity_rules_of_iam() {
    let emulator = start(|organization| {
        permit(organization, allow("iam:*", "*"));
    });
    let Some(text) = script(
        &emulator,
        r#"
print(attempt(client("iam", client("sts").get_session_token()["Credentials"]).list_mfa_devices))
session = mfa()
admin = client("iam", enter(session))
got = admin.get_role(RoleName="Developer")["Role"]
print(got["Arn"], got["MaxSessionDuration"], got["AssumeRolePolicyDocument"]["Statement"][0]["Condition"])
print([r["RoleName"] for r in admin.list_roles()["Roles"]], attempt(admin.get_role, RoleName="Nobody"))
print(attempt(admin.list_mfa_devices), admin.list_users()["Users"])
reader = client("iam", enter(session, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]))
print(reader.get_role(RoleName="Developer")["Role"]["RoleName"], attempt(reader.create_access_key, UserName="x"))
closed = client("iam", enter(session, Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'))
print(attempt(closed.get_role, RoleName="Developer"))
summary = client("iam").get_account_summary()["SummaryMap"]
print(summary["Users"], summary["MFADevicesInUse"], summary["AccountAccessKeysPresent"])
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!(text, @"
    403 InvalidClientTokenId
    arn:aws:iam::222222222222:role/dev/Developer 3600 {'Bool': {'aws:MultiFactorAuthPresent': 'true'}}
    ['Developer'] 404 NoSuchEntity
    400 ValidationError []
    Developer 403 AccessDenied
    403 AccessDenied
    2 4 0
    ");
}

/// What `verify --users` and `verify --drift` read.
#[test]
fn boto3_reads_what_administrators_read() {
    let emulator = start(|organization| {
        permit(organization, allow("*", "*"));
        organization.quirks.report_waits = 1;
        let named = Policy {
            arn: Some("arn:aws:iam::111111111111:policy/sekisho-users".into()),
            ..allow("s3:*", "*")
        };
        organization.groups.push(Group {
            name: "developers".into(),
            members: vec!["alice".into()],
            policies: vec![named, allow("s3:*", "*")],
        });
        let root = organization.root();
        organization.control_policies.push(ControlPolicy {
            id: "p-12345678".into(),
            name: "baseline".into(),
            kind: ControlKind::Service,
            policy: allow("*", "*"),
            targets: vec![root, DEV.into()],
        });
    });
    let Some(text) = script(
        &emulator,
        r#"
session = mfa()
iam, organizations = client("iam", session), client("organizations", session)
print(attempt(iam.get_credential_report))
print([iam.generate_credential_report()["State"] for _ in range(3)])
lines = iam.get_credential_report()["Content"].decode().splitlines()
print(set(len(line.split(",")) for line in lines), [line.split(",")[0] for line in lines])
details = iam.get_account_authorization_details(Filter=["User", "Group", "LocalManagedPolicy"])
group = details["GroupDetailList"][0]
print(group["GroupName"], group["AttachedManagedPolicies"][0]["PolicyName"])
print(group["GroupPolicyList"][0]["PolicyDocument"]["Statement"])
print(details["Policies"][0]["PolicyVersionList"][0]["IsDefaultVersion"], details["UserDetailList"][0]["GroupList"])
listed = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
print([(p["Name"], p["AwsManaged"]) for p in listed])
targets = organizations.list_targets_for_policy(PolicyId="p-12345678")["Targets"]
described = organizations.describe_policy(PolicyId="p-12345678")["Policy"]
print([t["Type"] for t in targets], described["PolicySummary"]["Type"])
print(attempt(organizations.describe_policy, PolicyId="p-00000000"), attempt(organizations.list_policies, Filter="TAG_POLICY"))
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!(text);
}

fn with_units(organization: &mut Organization) {
    organization.user("alice").unwrap().policies = vec![allow("*", "*")];
    organization.role(DEV, "Developer").unwrap().trust = trust("{}");
    for n in 0..45 {
        let mut account = Account::new(&format!("{:012}", 300 + n), &format!("sandbox {n}"));
        account.units = vec!["Sandboxes".into(), format!("Team {}", n % 2)];
        account.tags = vec![("owner".into(), format!("dev{n}"))];
        if n == 44 {
            account.status = AccountStatus::Suspended;
        }
        organization.accounts.push(account);
    }
}

#[test]
fn boto3_lists_the_organization() {
    let emulator = start(with_units);
    let Some(text) = script(
        &emulator,
        r#"
org = client("organizations")
print(org.describe_organization()["Organization"]["Id"])
pages = list(org.get_paginator("list_accounts").paginate())
accounts = [a for p in pages for a in p["Accounts"]]
print(len(pages), len(accounts), len({a["Id"] for a in accounts}), accounts[-1]["Status"])
print(accounts[5]["Name"], org.list_tags_for_resource(ResourceId=accounts[5]["Id"])["Tags"])
root = org.list_roots()["Roots"][0]["Id"]
def walk(parent, depth):
    for unit in org.list_organizational_units_for_parent(ParentId=parent)["OrganizationalUnits"]:
        print("  " * depth + unit["Name"])
        walk(unit["Id"], depth + 1)
walk(root, 0)
parent = org.list_parents(ChildId=accounts[5]["Id"])["Parents"][0]
print(parent["Type"], org.describe_organizational_unit(OrganizationalUnitId=parent["Id"])["OrganizationalUnit"]["Name"])
print(org.list_parents(ChildId=org.list_parents(ChildId=parent["Id"])["Parents"][0]["Id"])["Parents"][0]["Id"] == root)
print(attempt(org.list_parents, ChildId="999999999998"), attempt(org.list_tags_for_resource, ResourceId="999999999998"))
dev = client("organizations", enter(None))
print(attempt(dev.list_accounts), dev.describe_organization()["Organization"]["MasterAccountId"])
"#,
    ) else {
        return;
    };
    insta::assert_snapshot!(text, @"
    o-sekisho42x
    3 48 48 SUSPENDED
    sandbox 2 [{'Key': 'owner', 'Value': 'dev2'}]
    Sandboxes
      Team 0
      Team 1
    ORGANIZATIONAL_UNIT Team 0
    True
    400 ChildNotFoundException 400 TargetNotFoundException
    400 AccessDeniedException 999999999999
    ");
}

#[test]
fn boto3_probes() {
    let emulator = start(|_| {});
    let probes = r#"
ec2 = client("ec2")
print(attempt(client("s3").list_buckets), attempt(ec2.describe_regions))
print(attempt(ec2.run_instances, ImageId="ami-12345678", MinCount=1, MaxCount=1, DryRun=True))
wrong = dict(AccessKeyId="AKIANOBODY0000000001", SecretAccessKey="x", SessionToken=None)
print(attempt(client("s3", wrong).list_buckets), attempt(client("ec2", wrong).describe_regions), attempt(client("organizations", wrong).describe_organization))
"#;
    let Some(text) = script(&emulator, probes) else {
        return;
    };
    insta::assert_snapshot!(text, @"
    403 AccessDenied 403 UnauthorizedOperation
    403 UnauthorizedOperation
    403 InvalidAccessKeyId 401 AuthFailure 400 UnrecognizedClientException
    ");
    emulator.with(|organization| {
        permit(organization, allow("*", "*"));
    });
    let text = script(
        &emulator,
        r#"
ec2 = client("ec2")
print(client("s3").list_buckets()["Buckets"], [r["RegionName"] for r in ec2.describe_regions()["Regions"]])
print(attempt(ec2.run_instances, ImageId="ami-12345678", MinCount=1, MaxCount=1, DryRun=True))
"#,
    );
    insta::assert_snapshot!(text.unwrap(), @"
    [] ['eu-west-1', 'us-east-1', 'ap-northeast-1']
    412 DryRunOperation
    ");
}

#[test]
fn the_aws_cli_makes_a_session() {
    let Some(aws) = program("aws") else {
        return;
    };
    let emulator = start(|_| {});
    let code = emulator.code(PHONE).unwrap();
    let cli = |arguments: &[&str]| {
        let url = emulator.url();
        let output = command(&aws, &emulator)
            // The option also serves versions that do not know AWS_ENDPOINT_URL.
            .args(["--endpoint-url", &url, "--output", "text"])
            .args(arguments)
            .output()
            .unwrap();
        said(&output)
    };
    let arn = cli(&["sts", "get-caller-identity", "--query", "Arn"]);
    assert_eq!(arn, "arn:aws:iam::111111111111:user/alice");
    let entered = cli(&[
        "sts",
        "assume-role",
        "--role-arn",
        ROLE,
        "--role-session-name",
        "alice",
        "--serial-number",
        PHONE,
        "--token-code",
        &code,
        "--query",
        "AssumedRoleUser.Arn",
    ]);
    assert_eq!(entered, "arn:aws:sts::222222222222:assumed-role/Developer/alice");
    assert_eq!(emulator.calls().len(), 2);
}

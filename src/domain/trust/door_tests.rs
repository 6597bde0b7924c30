//! Every kind of door, bound and unbound, with conditions in the spellings that people write.

use super::*;

const OWN: &str = "222222222222";
const OIDC: &str = r#"{"Federated":"arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com"}"#;
const EKS: &str = r#"{"Federated":"arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB12"}"#;
const SAML: &str = r#"{"Federated":"arn:aws:iam::222222222222:saml-provider/okta"}"#;
const SSO: &str =
    r#"{"Federated":"arn:aws:iam::222222222222:saml-provider/AWSSSO_0a1b_DO_NOT_DELETE"}"#;
const COGNITO: &str = r#"{"Federated":"cognito-identity.amazonaws.com"}"#;
const FOREIGN: &str = r#"{"AWS":"arn:aws:iam::666666666666:root"}"#;
const ANYONE: &str = r#"{"AWS":"*"}"#;

fn known() -> KnownAccounts {
    KnownAccounts {
        auth: "111111111111".parse().unwrap(),
        organization: Some("o-ours".into()),
        members: ["333333333333", "999999999999"].map(|id| id.parse().unwrap()).into(),
        trusted: vec!["777777777777".parse().unwrap()],
    }
}

/// The users' reading, then each door as `kind needs`.
fn shown(document: &str) -> String {
    let policy = read(document, OWN.parse().unwrap(), &known());
    let users = match policy.users {
        Reading::AsksMfa => "mfa",
        Reading::Closed => "closed",
        Reading::Open(_) => "open",
        Reading::Unclear { .. } => "unclear",
    };
    let doors = policy.doors.iter().map(|door| {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let value = serde_json::to_value(door).unwrap();
        format!("; {} {}", word(value["door"].clone()), word(value["needs"].clone()))
    });
    users.to_owned() + &doors.collect::<String>()
}

fn one(principal: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Statement":[{{"Sid":"S","Effect":"Allow","Principal":{principal},"Action":"sts:{action}","Condition":{condition}}}]}}"#
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_kind_of_door_is_named_with_what_it_takes() {
    let oidc = "AssumeRoleWithWebIdentity";
    let saml = "AssumeRoleWithSAML";
    let assume = "AssumeRole";
    let mut wrong = Vec::new();
    for (principal, action, condition, expected) in [
        // Principals of accounts.
        (
            r#"{"AWS":"arn:aws:iam::111111111111:role/deploy"}"#,
            assume,
            "{}",
            "closed; auth_role nothing",
        ),
        (
            r#"{"AWS":"111111111111"}"#,
            assume,
            r#"{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}"#,
            "closed; auth_role nothing",
        ),
        (
            r#"{"AWS":"111111111111"}"#,
            assume,
            r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "mfa",
        ),
        (
            r#"{"AWS":"111111111111"}"#,
            assume,
            r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "open",
        ),
        (
            r#"{"AWS":"111111111111"}"#,
            assume,
            r#"{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/ci-*"}}"#,
            "closed; auth_role nothing",
        ),
        (
            r#"{"AWS":"arn:aws:iam::222222222222:root"}"#,
            assume,
            "{}",
            "closed; own_account nothing",
        ),
        (r#"{"AWS":"222222222222"}"#, assume, r#"{"bool":{}}"#, "closed; own_account nothing"),
        (
            r#"{"AWS":"222222222222"}"#,
            assume,
            r#"{"Bool":{"AWS:MultiFactorAuthPresent":true}}"#,
            "closed; own_account mfa",
        ),
        (
            r#"{"AWS":"arn:aws:iam::222222222222:user/old"}"#,
            assume,
            "{}",
            "closed; own_account nothing",
        ),
        (
            r#"{"AWS":"arn:aws:iam::222222222222:role/ci"}"#,
            assume,
            r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "closed",
        ),
        (
            r#"{"AWS":"arn:aws:iam::999999999999:root"}"#,
            assume,
            "{}",
            "closed; organization nothing",
        ),
        (
            r#"{"AWS":"333333333333"}"#,
            assume,
            r#"{"StringEquals":{"sts:ExternalId":"x"}}"#,
            "closed; organization nothing",
        ),
        (r#"{"AWS":"777777777777"}"#, assume, "{}", "closed; listed_account nothing"),
        (FOREIGN, assume, "{}", "closed; foreign_account nothing"),
        (
            r#"{"AWS":"arn:aws:sts::666666666666:assumed-role/x/y"}"#,
            assume,
            "{}",
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringEquals":{"sts:ExternalId":"vendor-7f3a"}}"#,
            "closed; foreign_account condition",
        ),
        (FOREIGN, assume, r#"{"stringequals":{}}"#, "closed; foreign_account nothing"),
        (
            FOREIGN,
            assume,
            r#"{"ForAnyValue:StringEquals":{"STS:ExternalID":["vendor-7f3a"]}}"#,
            "closed; foreign_account condition",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringEqualsIfExists":{"sts:ExternalId":"vendor-7f3a"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringLike":{"sts:ExternalId":"*"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringNotEquals":{"sts:ExternalId":"vendor-7f3a"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#,
            "closed; organization nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-ours"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
            "closed; foreign_account nothing",
        ),
        (
            FOREIGN,
            assume,
            r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "closed; foreign_account mfa",
        ),
        (
            FOREIGN,
            assume,
            r#"{"NumericEquals":{"sts:ExternalId":"1"}}"#,
            "closed; foreign_account unclear",
        ),
        // Everybody.
        (ANYONE, assume, "{}", "open; foreign_account nothing"),
        (
            r#""*""#,
            assume,
            r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "mfa; foreign_account nothing",
        ),
        (
            ANYONE,
            assume,
            r#"{"StringEquals":{"aws:PrincipalOrgID":["o-ours"]},"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "mfa; organization mfa",
        ),
        (
            ANYONE,
            assume,
            r#"{"StringEquals":{"AWS:principalorgid":"o-ours","aws:PrincipalType":"AssumedRole"}}"#,
            "closed; organization nothing",
        ),
        (
            ANYONE,
            assume,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-ours/r-ab/ou-ab-1/*"},"Null":{"aws:MultiFactorAuthAge":"false"}}"#,
            "mfa; organization mfa",
        ),
        (
            ANYONE,
            assume,
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-*/*"},"Null":{"aws:MultiFactorAuthAge":"false"}}"#,
            "mfa; foreign_account nothing",
        ),
        (
            ANYONE,
            assume,
            r#"{"StringEquals":{"aws:PrincipalAccount":"222222222222"}}"#,
            "closed; own_account nothing",
        ),
        (
            ANYONE,
            assume,
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::222222222222:role/ci-*"}}"#,
            "closed; own_account nothing",
        ),
        (
            ANYONE,
            assume,
            r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::666666666666:role/x"}}"#,
            "closed; foreign_account nothing",
        ),
        // Issuers.
        (OIDC, oidc, "{}", "closed; oidc nothing"),
        (
            OIDC,
            oidc,
            r#"{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}"#,
            "closed; oidc nothing",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:*"}}"#,
            "closed; oidc nothing",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:our-company*"}}"#,
            "closed; oidc nothing",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:our-company/*"}}"#,
            "closed; oidc condition",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringLike":{"token.actions.githubusercontent.com:sub":["repo:our-company/*","*"]}}"#,
            "closed; oidc nothing",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringEquals":{"token.actions.githubusercontent.com:sub":"repo:our-company/app:ref:refs/heads/main"}}"#,
            "closed; oidc condition",
        ),
        (
            OIDC,
            oidc,
            r#"{"ForAllValues:StringLike":{"Token.Actions.GithubUserContent.com:SUB":"repo:our-company/app:*"}}"#,
            "closed; oidc condition",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringEqualsIgnoreCase":{"token.actions.githubusercontent.com:repository_owner":"our-company"}}"#,
            "closed; oidc condition",
        ),
        (
            OIDC,
            oidc,
            r#"{"StringNotLike":{"token.actions.githubusercontent.com:sub":"repo:evil/*"}}"#,
            "closed; oidc nothing",
        ),
        (OIDC, oidc, r#"{"StringEquals":{"gitlab.com:sub":"project_path:a/b"}}"#, "closed"),
        (
            OIDC,
            oidc,
            r#"{"StringEqualsIfExists":{"gitlab.com:sub":"project_path:a/b"}}"#,
            "closed; oidc nothing",
        ),
        (OIDC, "AssumeRole", "{}", "closed"),
        (EKS, oidc, "{}", "closed; oidc nothing"),
        (
            EKS,
            oidc,
            r#"{"StringEquals":{"oidc.eks.eu-west-1.amazonaws.com/id/AB12:aud":"sts.amazonaws.com"}}"#,
            "closed; oidc condition",
        ),
        (
            EKS,
            oidc,
            r#"{"StringLike":{"oidc.eks.eu-west-1.amazonaws.com/id/ab12:sub":"system:serviceaccount:*:*"}}"#,
            "closed; oidc condition",
        ),
        (COGNITO, oidc, "{}", "closed; oidc nothing"),
        (
            COGNITO,
            oidc,
            r#"{"StringEquals":{"cognito-identity.amazonaws.com:aud":"eu-west-1:pool"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}"#,
            "closed; oidc condition",
        ),
        (
            COGNITO,
            oidc,
            r#"{"StringEquals":{"cognito-identity.amazonaws.com:aud":"eu-west-1:pool"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"unauthenticated"}}"#,
            "closed; oidc unclear",
        ),
        (SAML, saml, "{}", "closed; saml nothing"),
        (SAML, saml, r#"{"StringEquals":{"SAML:iss":"https://okta"}}"#, "closed; saml nothing"),
        (
            SAML,
            saml,
            r#"{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}"#,
            "closed; saml issuer",
        ),
        (
            SAML,
            saml,
            r#"{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml","saml:sub":"tanaka"}}"#,
            "closed; saml condition",
        ),
        (
            SSO,
            saml,
            r#"{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}"#,
            "closed; identity_center issuer",
        ),
        // Services.
        (r#"{"Service":"lambda.amazonaws.com"}"#, assume, "{}", "closed"),
        (
            r#"{"Service":["ec2.amazonaws.com","rolesanywhere.amazonaws.com"]}"#,
            assume,
            "{}",
            "closed; service nothing",
        ),
        (
            r#"{"Service":"rolesanywhere.amazonaws.com"}"#,
            assume,
            r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:222222222222:trust-anchor/1"}}"#,
            "closed; service condition",
        ),
        (
            r#"{"Service":"rolesanywhere.amazonaws.com"}"#,
            assume,
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:rolesanywhere:*:*:trust-anchor/*"}}"#,
            "closed; service nothing",
        ),
        (
            r#"{"Service":"rolesanywhere.amazonaws.com"}"#,
            assume,
            r#"{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"build-host"}}"#,
            "closed; service condition",
        ),
        (r#"{"Service":"credentials.iot.amazonaws.com"}"#, assume, "{}", "closed; service nothing"),
    ] {
        let document = one(principal, action, condition);
        let found = shown(&document);
        if found != expected {
            wrong.push(format!("{document}\n  is {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_second_statement_is_seen_behind_one_that_asks_for_mfa() {
    let with = |statement: &str| {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111111111111:root"}},"Action":"sts:AssumeRole",
                "Condition":{{"Bool":{{"aws:MultiFactorAuthPresent":"true"}}}}}},{statement}]}}"#
        )
    };
    for (statement, expected) in [
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"666666666666"},"Action":"sts:AssumeRole"}"#,
            "mfa; foreign_account nothing",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"666666666666"},"Action":"sts:TagSession"}"#,
            "mfa",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":["666666666666","222222222222"]},"Action":["sts:TagSession","STS:Assume*"]}"#,
            "mfa; foreign_account nothing; own_account nothing",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/x","Federated":"arn:aws:iam::222222222222:saml-provider/a"},"Action":"sts:AssumeRole*"}"#,
            "mfa; auth_role nothing; saml nothing",
        ),
        (r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#, "closed"),
    ] {
        assert_eq!(shown(&with(statement)), expected, "{statement}");
    }
}

#[test]
fn a_deny_closes_the_doors_that_it_is_sure_to_strike() {
    let with = |principal: &str, condition: &str| {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":"sts:AssumeRole"}},
                {{"Effect":"Deny","Principal":{principal},"Action":"sts:*","Condition":{condition}}}]}}"#
        )
    };
    for (principal, condition, expected) in [
        (
            r#""*""#,
            r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}"#,
            "open; organization nothing",
        ),
        (
            r#""*""#,
            r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#,
            "mfa; foreign_account nothing",
        ),
        (r#"{"AWS":"666666666666"}"#, "{}", "open; foreign_account nothing"),
        (r#""*""#, "{}", "closed"),
    ] {
        let document = with(principal, condition);
        assert_eq!(shown(&document), expected, "{document}");
    }
}

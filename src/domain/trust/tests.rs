use super::*;

const AUTH: &str = "111111111111";

fn auth() -> AccountId {
    AUTH.parse().unwrap()
}

/// One Allow for the auth account with a condition.
fn allow(condition: &str) -> String {
    allow_for(r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, condition)
}

fn allow_for(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Enter","Effect":"Allow","Principal":{principal},
            "Action":"sts:AssumeRole","Condition":{condition}}}]}}"#
    )
}

/// The reading as one word; `open-key` and `open-session` for the two kinds of hole.
fn word(document: &str) -> &'static str {
    match read(document, "222222222222".parse().unwrap(), &KnownAccounts::only(auth())).users {
        Reading::AsksMfa => "mfa",
        Reading::Closed => "closed",
        Reading::Open(hole) if hole.bare_key => "open-key",
        Reading::Open(_) => "open-session",
        Reading::Unclear { .. } => "unclear",
    }
}

#[test]
fn only_conditions_that_refuse_both_callers_without_mfa_count() {
    for (condition, expected) in [
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, "mfa"),
        (r#"{"Bool":{"AWS:multifactorauthpresent":true}}"#, "mfa"),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":["true"]}}"#, "mfa"),
        (r#"{"ForAnyValue:Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, "mfa"),
        (r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}"#, "mfa"),
        (r#"{"Null":{"aws:MultiFactorAuthAge":"false"}}"#, "mfa"),
        // The traps: each of these looks like MFA and is none.
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, "open-key"),
        (r#"{"ForAllValues:Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, "open-key"),
        (r#"{"NumericLessThanIfExists":{"aws:MultiFactorAuthAge":"3600"}}"#, "open-key"),
        (r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#, "open-key"),
        (r#"{"Null":{"aws:MultiFactorAuthPresent":"false"}}"#, "open-session"),
        (r#"{"Null":{"aws:TokenIssueTime":"false"}}"#, "open-session"),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, "open-session"),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":["true","false"]}}"#, "open-session"),
        ("{}", "open-key"),
        // What a thief may meet protects nothing.
        (r#"{"StringEquals":{"sts:ExternalId":"x","aws:PrincipalOrgID":"o-1"}}"#, "open-key"),
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, "open-key"),
        (
            r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            "mfa",
        ),
        // What is not understood is never sound.
        (r#"{"Bool2":{"aws:MultiFactorAuthPresent":"true"}}"#, "unclear"),
        (r#"{"StringEquals":{"aws:MultiFactorAuthPresent":"true"}}"#, "unclear"),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"${aws:username}"}}"#, "unclear"),
    ] {
        assert_eq!(word(&allow(condition)), expected, "{condition}");
    }
}

#[test]
fn principals_that_are_not_the_users_do_not_count() {
    for (principal, expected) in [
        (r#"{"AWS":"111111111111"}"#, "open-key"),
        (r#"{"AWS":"*"}"#, "open-key"),
        (r#""*""#, "open-key"),
        (
            r#"{"AWS":["arn:aws:iam::222222222222:root","arn:aws:iam::111111111111:user/a/tanaka"]}"#,
            "open-key",
        ),
        (r#"{"AWS":"arn:aws:iam::222222222222:root"}"#, "closed"),
        (r#"{"AWS":"arn:aws:iam::111111111111:role/provisioning"}"#, "closed"),
        (r#"{"AWS":"AIDAABCDEFGHIJKLMNOPQ"}"#, "closed"),
        (r#"{"Service":"lambda.amazonaws.com"}"#, "closed"),
        (r#"{"Federated":"arn:aws:iam::222222222222:saml-provider/x"}"#, "closed"),
        (r#"{"Planet":"mars"}"#, "unclear"),
        (r#"{"AWS":"arn:aws:iam::111111111111:group/devs"}"#, "unclear"),
        (r#"{"AWS":"somebody"}"#, "unclear"),
    ] {
        assert_eq!(word(&allow_for(principal, "{}")), expected, "{principal}");
    }
}

#[test]
fn conditions_may_keep_the_users_out() {
    for (condition, expected) in [
        (r#"{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}"#, "closed"),
        (r#"{"StringEquals":{"aws:PrincipalAccount":"222222222222"}}"#, "closed"),
        (
            r#"{"StringEquals":{"aws:PrincipalAccount":["222222222222","111111111111"]}}"#,
            "open-key",
        ),
        (r#"{"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}"#, "closed"),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/provisioning/*"}}"#, "closed"),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:*"}}"#, "open-key"),
        (r#"{"StringLike":{"aws:PrincipalArn":"arn:*role/*"}}"#, "open-key"),
        (r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/a*"}}"#, "open-key"),
        (r#"{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#, "closed"),
        (r#"{"StringNotEquals":{"aws:PrincipalType":"user"}}"#, "open-key"),
        (r#"{"StringEqualsIgnoreCase":{"aws:PrincipalType":"user"}}"#, "unclear"),
        (r#"{"StringEquals":{"aws:SourceAccount":"222222222222"}}"#, "closed"),
    ] {
        assert_eq!(word(&allow_for(r#"{"AWS":"*"}"#, condition)), expected, "{condition}");
    }
}

#[test]
fn a_deny_protects_only_where_it_is_sure_to_strike() {
    let document = |principal: &str, condition: &str| {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":"sts:*"}},
                {{"Effect":"Deny","Principal":{principal},"Action":"sts:AssumeRole*","Condition":{condition}}}]}}"#
        )
    };
    let if_exists = r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#;
    for (principal, condition, expected) in [
        (r#"{"AWS":"*"}"#, if_exists, "mfa"),
        (r#""*""#, if_exists, "mfa"),
        (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, if_exists, "mfa"),
        (r#"{"AWS":"arn:aws:iam::111111111111:user/bob"}"#, if_exists, "open-key"),
        (r#"{"AWS":"*"}"#, r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, "open-key"),
        (r#"{"AWS":"*"}"#, r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#, "open-session"),
        (r#"{"AWS":"*"}"#, r#"{"Null":{"aws:MultiFactorAuthAge":"true"}}"#, "mfa"),
        (r#"{"AWS":"*"}"#, "{}", "closed"),
        (
            r#"{"AWS":"*"}"#,
            r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"},"IpAddress":{"aws:SourceIp":"::/0"}}"#,
            "open-key",
        ),
    ] {
        assert_eq!(word(&document(principal, condition)), expected, "{principal} {condition}");
    }
}

#[test]
fn the_hole_is_named() {
    let document = r#"{"Statement":[
        {"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole",
         "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/\u001b[31m"},"Action":["sts:TagSession","STS:AssumeRole"]}]}"#;
    let Reading::Open(hole) =
        read(document, "222222222222".parse().unwrap(), &KnownAccounts::only(auth())).users
    else {
        panic!("not seen");
    };
    assert_eq!((hole.statement.as_str(), hole.bare_key), ("#2", true));
    assert_eq!(hole.principal, "arn:aws:iam::111111111111:user/␛[31m");
}

#[test]
fn other_actions_do_not_count() {
    let other =
        |action: &str| format!(r#"{{"Statement":{{"Effect":"Allow","Principal":"*",{action}}}}}"#);
    assert_eq!(word(&other(r#""Action":"sts:TagSession""#)), "closed");
    assert_eq!(word(&other(r#""Action":"*""#)), "open-key");
    assert_eq!(word(&other(r#""NotAction":"sts:TagSession""#)), "open-key");
    assert_eq!(word(&other(r#""NotAction":"sts:Assume*""#)), "closed");
}

#[test]
fn documents_that_cannot_be_read_are_unclear() {
    for document in [
        "",
        "[]",
        "{}",
        r#"{"Statement":[1]}"#,
        r#"{"Statement":{"Effect":"Permit","Principal":"*","Action":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Condition":[]}}"#,
    ] {
        assert_eq!(word(document), "unclear", "{document}");
    }
}

//! Who may enter which role, and what the refusal says: each rule opened and closed.

use std::time::Duration;

use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use sekisho::emulator::{
    AccessKey, DirectMfa, Document, Emulator, Organization, Policy, Role, User,
};

use super::stage::*;

const REFUSED: &str = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: \
    sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer";
const IMPLICIT: &str = " because no identity-based policy allows the sts:AssumeRole action";

/// What a caller brings.
#[derive(Debug, Clone, Copy)]
enum With {
    /// The access key alone.
    Key,
    /// The key, and a code in the call itself.
    Code,
    /// A GetSessionToken session without MFA.
    Session,
    /// A GetSessionToken session with MFA.
    MfaSession,
}

/// Enters `ROLE`; the message where it is refused.
async fn enter(emulator: &Emulator, with: With) -> Result<(), String> {
    let client = match with {
        With::Key | With::Code => alice(emulator),
        With::Session => plain_session(emulator).await,
        With::MfaSession => mfa_session(emulator).await,
    };
    let mut request = client.assume_role().role_arn(ROLE).role_session_name("alice");
    if let With::Code = with {
        request = request.serial_number(TABLET).token_code(emulator.code(TABLET).unwrap());
    }
    match request.send().await {
        Ok(_) => Ok(()),
        refused => Err(why(refused).2),
    }
}

fn set_trust(condition: &str) -> impl FnOnce(&mut Organization) {
    let document = trust(condition);
    |organization| organization.role(DEV, "Developer").unwrap().trust = document
}

#[test]
fn one_code_opens_the_session_and_the_session_opens_the_role() {
    run(async {
        let emulator = start(|_| {});
        let session = mfa_session(&emulator).await;
        let me = session.get_caller_identity().send().await.unwrap();
        assert_eq!(me.arn(), Some("arn:aws:iam::111111111111:user/alice"));
        assert!(me.user_id().unwrap().starts_with("AIDA"));
        let before = emulator.now();
        let request = session.assume_role().role_arn(ROLE).role_session_name("alice");
        let entered = request.send().await.unwrap();
        let credentials = entered.credentials().unwrap();
        assert!(credentials.access_key_id().starts_with("ASIA"));
        let left = credentials.expiration().secs() - before.as_second();
        assert!((3600..3605).contains(&left), "{left}");
        let user = entered.assumed_role_user().unwrap();
        let arn = "arn:aws:sts::222222222222:assumed-role/Developer/alice";
        assert_eq!(user.arn(), arn);
        assert!(user.assumed_role_id().starts_with("AROA"));
        let role = sts(&emulator, super::stage::session(entered.credentials()));
        let me = role.get_caller_identity().send().await.unwrap();
        assert_eq!((me.arn(), me.account()), (Some(arn), Some(DEV)));
        assert_eq!(me.user_id(), Some(user.assumed_role_id()));
        let calls = emulator.calls().into_iter().map(|call| (call.action, call.with_code));
        assert_eq!(
            calls.collect::<Vec<_>>(),
            [
                ("GetSessionToken".into(), true),
                ("GetCallerIdentity".into(), false),
                ("AssumeRole".into(), false),
                ("GetCallerIdentity".into(), false)
            ]
        );
    });
}

#[test]
fn mfa_conditions_of_the_trust_policy() {
    use With::{Code, Key, MfaSession, Session};
    let cases = [
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, [false, true, false, true]),
        // The two mistakes of docs/aws-facts.md §2: an Allow with IfExists, a test for the key's presence.
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, [true, true, false, true]),
        (r#"{"Null":{"aws:TokenIssueTime":"false"}}"#, [false, false, true, true]),
        (r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":"900"}}"#, [false, true, false, true]),
        ("{}", [true, true, true, true]),
    ];
    run(async {
        for (condition, opens) in cases {
            let emulator = start(set_trust(condition));
            for (with, open) in [Key, Code, Session, MfaSession].into_iter().zip(opens) {
                let expected = if open { Ok(()) } else { Err(REFUSED.into()) };
                assert_eq!(enter(&emulator, with).await, expected, "{condition} {with:?}");
            }
        }
    });
}

#[test]
fn the_age_of_the_mfa_is_told_by_the_emulators_clock() {
    run(async {
        let condition = r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":"900"}}"#;
        // Beyond the signature's window, so that only the age can refuse.
        let emulator = start(|organization| {
            set_trust(condition)(organization);
            organization.quirks.skew = Duration::from_hours(1);
        });
        let session = mfa_session(&emulator).await;
        let enter = || session.assume_role().role_arn(ROLE).role_session_name("alice").send();
        assert!(enter().await.is_ok());
        emulator.advance(Duration::from_secs(901));
        assert_eq!(why(enter().await).2, REFUSED);
    });
}

#[test]
fn other_conditions_and_principals_of_the_trust_policy() {
    let by_principal = |principal: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"sts:*"}}}}"#
        );
        Document::parse(&text).unwrap()
    };
    let cases = [
        (trust(r#"{"StringEquals":{"sts:ExternalId":"blue"}}"#), true),
        (trust(r#"{"StringEquals":{"sts:ExternalId":"red"}}"#), false),
        (trust(r#"{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}"#), true),
        (trust(r#"{"StringLike":{"sts:RoleSessionName":"bob"}}"#), false),
        (trust(r#"{"StringEquals":{"aws:username":"alice"}}"#), true),
        (trust(r#"{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#), true),
        (trust(r#"{"StringEquals":{"aws:PrincipalTag/team":"red"}}"#), false),
        (trust(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-sekisho42x"}}"#), true),
        (trust(r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-sekisho42x"}}"#), false),
        (by_principal(r#""arn:aws:iam::111111111111:user/alice""#), true),
        (by_principal(r#"["arn:aws:iam::333333333333:root","111111111111"]"#), true),
        (by_principal(r#""*""#), true),
        (by_principal(r#""arn:aws:iam::111111111111:user/bob""#), false),
    ];
    run(async {
        for (document, opens) in cases {
            let emulator = start(|organization| {
                organization.user("alice").unwrap().tags.push(("Team".into(), "blue".into()));
                organization.role(DEV, "Developer").unwrap().trust = document.clone();
            });
            let request = alice(&emulator).assume_role().role_arn(ROLE);
            let result = request.role_session_name("alice").external_id("blue").send().await;
            if opens {
                assert!(result.is_ok(), "{}", document.source());
            } else {
                assert_eq!(why(result), (403, "AccessDenied".into(), REFUSED.into()));
            }
        }
    });
}

#[test]
fn a_denial_names_one_policy_and_its_arn_where_it_has_one() {
    const QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    let deny_without_mfa = || {
        Policy::inline(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole",
                "Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"},
                "StringEquals":{"aws:PrincipalType":"User"}}}]}"#,
        )
        .unwrap()
    };
    let explicit = |kind: &str| Err(format!("{REFUSED} with an explicit deny in {kind}"));
    run(async {
        let emulator = start(set_trust("{}"));
        assert_eq!(enter(&emulator, With::Key).await, Ok(()));

        emulator.with(|organization| {
            organization.account(DEV).unwrap().rcps.push(deny_without_mfa());
        });
        assert_eq!(enter(&emulator, With::Key).await, explicit("a resource control policy"));
        assert_eq!(enter(&emulator, With::MfaSession).await, Ok(()));
        emulator.with(|organization| {
            organization.account(AUTH).unwrap().scps.push(deny_without_mfa());
        });
        assert_eq!(enter(&emulator, With::Key).await, explicit("a service control policy"));
        // The identity-side deny masks all others.
        emulator.with(|organization| permit(organization, guard()));
        assert_eq!(enter(&emulator, With::Key).await, explicit("an identity-based policy"));
        assert_eq!(enter(&emulator, With::Session).await, explicit("an identity-based policy"));

        emulator.with(|organization| {
            organization.user("alice").unwrap().policies = vec![Policy::aws(QUARANTINE).unwrap()];
            organization.account(AUTH).unwrap().scps.clear();
            organization.account(DEV).unwrap().rcps.clear();
        });
        assert_eq!(enter(&emulator, With::Key).await, Err(format!("{REFUSED}{IMPLICIT}")));
        let refused = alice(&emulator).get_session_token().send().await;
        assert_eq!(
            why(refused).2,
            format!(
                "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:GetSessionToken \
                 on resource: * with an explicit deny in an identity-based policy: {QUARANTINE}"
            )
        );
        // No policy can deny this one.
        assert!(alice(&emulator).get_caller_identity().send().await.is_ok());
    });
}

#[test]
fn a_code_in_the_call_may_or_may_not_satisfy_the_identity_guard() {
    run(async {
        let emulator = start(|organization| permit(organization, guard()));
        assert_eq!(enter(&emulator, With::Code).await, Ok(()));
        emulator.advance(Duration::from_mins(1));
        emulator.with(|organization| organization.quirks.direct_mfa = DirectMfa::RoleOnly);
        let refused = format!("{REFUSED} with an explicit deny in an identity-based policy");
        assert_eq!(enter(&emulator, With::Code).await, Err(refused));
    });
}

#[test]
fn a_role_that_is_missing_is_refused_like_one_that_is_closed() {
    run(async {
        let emulator = start(|_| {});
        for arn in [
            "arn:aws:iam::222222222222:role/Developer",
            "arn:aws:iam::222222222222:role/dev/Nobody",
            "arn:aws:iam::333333333333:role/dev/Developer",
        ] {
            let session = alice(&emulator);
            let refused =
                session.assume_role().role_arn(arn).role_session_name("alice").send().await;
            let text = REFUSED.replace("arn:aws:iam::222222222222:role/dev/Developer", arn);
            assert_eq!(why(refused), (403, "AccessDenied".into(), text));
        }
    });
}

#[test]
fn within_one_account_trust_by_name_is_enough_and_deny_wins() {
    let name = |effect: &str| {
        format!(
            r#"{{"Effect":"{effect}","Principal":{{"AWS":"arn:aws:iam::{AUTH}:user/alice"}},"Action":"sts:AssumeRole"}}"#
        )
    };
    let allowed = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, name("Allow"));
    let denied =
        format!(r#"{{"Version":"2012-10-17","Statement":[{},{}]}}"#, name("Allow"), name("Deny"));
    run(async {
        let emulator = start(|organization| {
            organization.user("alice").unwrap().policies.clear();
            organization.roles.push(Role::new(AUTH, "Home", Document::parse(&allowed).unwrap()));
        });
        let home = "arn:aws:iam::111111111111:role/Home";
        let enter = || async {
            alice(&emulator).assume_role().role_arn(home).role_session_name("alice").send().await
        };
        assert!(enter().await.is_ok());
        emulator.with(|organization| {
            organization.role(AUTH, "Home").unwrap().trust = Document::parse(&denied).unwrap();
            permit(organization, allow("*", "*"));
        });
        assert!(
            why(enter().await).2.starts_with("User: arn:aws:iam::111111111111:user/alice is not")
        );
    });
}

#[test]
fn tags_and_source_identity_need_a_yes_from_both_sides() {
    run(async {
        let emulator = start(|organization| {
            set_trust("{}")(organization);
            organization.user("alice").unwrap().policies = vec![allow("sts:*", "*")];
        });
        let tag = aws_sdk_sts::types::Tag::builder().key("team").value("blue").build().unwrap();
        let enter = || async {
            let request = alice(&emulator)
                .assume_role()
                .role_arn(ROLE)
                .role_session_name("alice")
                .source_identity("alice")
                .tags(tag.clone());
            request.send().await
        };
        assert_eq!(why(enter().await).2, REFUSED.replace("AssumeRole", "TagSession"));
        let more = trust("{}")
            .source()
            .replace(r#""sts:AssumeRole""#, r#"["sts:AssumeRole","sts:TagSession"]"#);
        let set = |text: &str| {
            emulator.with(|organization| {
                organization.role(DEV, "Developer").unwrap().trust = Document::parse(text).unwrap();
            });
        };
        set(&more);
        assert_eq!(why(enter().await).2, REFUSED.replace("AssumeRole", "SetSourceIdentity"));
        set(&more.replace("sts:TagSession", "sts:*"));
        assert_eq!(enter().await.unwrap().source_identity(), Some("alice"));
    });
}

#[test]
fn transitive_tags_go_on_along_a_chain() {
    run(async {
        let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
        let blue = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}]}"#;
        let emulator = start(|organization| {
            organization.user("alice").unwrap().policies = vec![allow("sts:*", "*")];
            let role = organization.role(DEV, "Developer").unwrap();
            role.trust = Document::parse(open).unwrap();
            role.policies = vec![allow("sts:*", "*")];
            for (name, trust) in [("Second", open), ("Third", blue)] {
                let mut role = Role::new(DEV, name, Document::parse(trust).unwrap());
                role.policies = vec![allow("sts:*", "*")];
                organization.roles.push(role);
            }
        });
        let tag = |key: &str, value: &str| {
            aws_sdk_sts::types::Tag::builder().key(key).value(value).build().unwrap()
        };
        let enter = async |transitive: &[&str], tags: &[(&str, &str)]| {
            alice(&emulator)
                .assume_role()
                .role_arn(ROLE)
                .role_session_name("alice")
                .set_tags(Some(tags.iter().map(|(key, value)| tag(key, value)).collect()))
                .set_transitive_tag_keys(Some(transitive.iter().map(|key| (*key).into()).collect()))
                .send()
                .await
        };
        let (status, code, what) = why(enter(&["owner"], &[("team", "blue")]).await);
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValue"));
        assert_eq!(
            what,
            "The specified transitive tag key must be included in the requested tags."
        );
        assert!(
            why(enter(&[], &[("team", "blue"), ("Team", "red")]).await).2.starts_with("Duplicate")
        );
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (_, code, what) = why(enter(&many, &[("0", "x")]).await);
        assert!(code == "ValidationError" && what.contains("'transitiveTagKeys'"), "{code} {what}");

        for (transitive, third) in [(vec![], false), (vec!["TEAM"], true)] {
            let first = enter(&transitive, &[("team", "blue"), ("cost", "1")]).await.unwrap();
            let next = |from: &AssumeRoleOutput, name: &str| {
                let client = sts(&emulator, session(from.credentials()));
                let role = format!("arn:aws:iam::{DEV}:role/{name}");
                client.assume_role().role_arn(role).role_session_name("alice")
            };
            let clash = next(&first, "Second").tags(tag("Team", "red")).send().await;
            assert_eq!(clash.is_err(), third, "an inherited tag cannot be set anew");
            let second = next(&first, "Second").send().await.unwrap();
            assert_eq!(next(&second, "Third").send().await.is_ok(), third, "{transitive:?}");
        }
    });
}

#[test]
fn what_the_engine_does_not_know_refuses_and_is_recorded() {
    run(async {
        let emulator = start(set_trust(r#"{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#));
        assert_eq!(enter(&emulator, With::Key).await, Err(REFUSED.into()));
        assert_eq!(emulator.calls()[0].unknown, ["IpAddress aws:SourceIp"]);
    });
}

#[test]
fn root_assumes_nothing_and_strangers_less() {
    run(async {
        let emulator = start(|organization| {
            organization.root_keys.push(AccessKey::new("AKIAROOT000000000001", "root"));
            let mut mallory = User::new("mallory");
            mallory.keys.push(AccessKey::new("AKIAMALLORY000000001", "mallory"));
            organization.users.push(mallory);
        });
        let root = sts(&emulator, key("AKIAROOT000000000001", "root"));
        let refused = root.assume_role().role_arn(ROLE).role_session_name("root").send().await;
        let text = "Roles may not be assumed by root accounts.";
        assert_eq!(why(refused), (403, "AccessDenied".into(), text.into()));
        let me = root.get_caller_identity().send().await.unwrap();
        assert_eq!(me.arn(), Some("arn:aws:iam::111111111111:root"));
        // Root's sessions last an hour at most, whatever is asked.
        let given = root.get_session_token().duration_seconds(43_200).send().await.unwrap();
        let left = given.credentials().unwrap().expiration().secs() - emulator.now().as_second();
        assert!(left <= 3600);

        let mallory = sts(&emulator, key("AKIAMALLORY000000001", "mallory"));
        let refused = mallory.assume_role().role_arn(ROLE).role_session_name("x2").send().await;
        assert_eq!(why(refused).2, REFUSED.replace("alice", "mallory") + IMPLICIT);
    });
}

#[test]
fn sts_can_be_off_in_a_region_of_either_account() {
    run(async {
        let emulator = start(set_trust("{}"));
        for id in [AUTH, DEV] {
            let off = |regions: Vec<String>| {
                emulator.with(|organization| organization.account(id).unwrap().sts_off = regions);
            };
            off(vec!["eu-west-1".into()]);
            let request = alice(&emulator).assume_role().role_arn(ROLE).role_session_name("alice");
            let (status, code, text) = why(request.send().await);
            assert_eq!((status, code.as_str()), (403, "RegionDisabledException"));
            assert!(
                text.starts_with(&format!("STS is not activated in this region for account:{id}."))
            );
            off(vec!["us-east-2".into()]);
            assert_eq!(enter(&emulator, With::Key).await, Ok(()));
        }
    });
}

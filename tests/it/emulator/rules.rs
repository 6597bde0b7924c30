//! Each rule of AWS that the organisation keeps, opened and closed, through the real aws-sdk-sts.

use std::time::Duration;

use sekisho::emulator::{
    AccessKey, DirectMfa, Document, Emulator, KeyStatus, Organisation, Policy,
};

use super::stage::*;

const DENIED: &str = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: \
    sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer";

/// Enters the role through an MFA session.
async fn enter(emulator: &Emulator) -> Result<(), String> {
    let request = mfa_session(emulator)
        .await
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("alice");
    let result = request.send().await;
    match result {
        Ok(_) => Ok(()),
        Err(_) => Err(why(result).2),
    }
}

/// Enters with the bare key and no code.
async fn enter_bare(emulator: &Emulator) -> Result<(), String> {
    let result = alice(emulator)
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("alice")
        .send()
        .await;
    match result {
        Ok(_) => Ok(()),
        Err(_) => Err(why(result).2),
    }
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
        let entered = session
            .assume_role()
            .role_arn(ROLE)
            .role_session_name("alice")
            .send()
            .await
            .unwrap();
        let credentials = entered.credentials().unwrap();
        assert!(credentials.access_key_id().starts_with("ASIA"));
        let left = credentials.expiration().secs() - before.as_second();
        assert!((3600..3605).contains(&left), "{left}");
        let user = entered.assumed_role_user().unwrap();
        assert_eq!(
            user.arn(),
            "arn:aws:sts::222222222222:assumed-role/Developer/alice"
        );
        assert!(user.assumed_role_id().starts_with("AROA"));
        let role = sts(&emulator, super::stage::session(entered.credentials()));
        let me = role.get_caller_identity().send().await.unwrap();
        assert_eq!(
            me.arn(),
            Some("arn:aws:sts::222222222222:assumed-role/Developer/alice")
        );
        assert_eq!(me.account(), Some(DEV));
        let calls: Vec<_> = emulator
            .calls()
            .into_iter()
            .map(|call| (call.action, call.with_code))
            .collect();
        assert_eq!(
            calls,
            [
                ("GetSessionToken".into(), true),
                ("GetCallerIdentity".into(), false),
                ("AssumeRole".into(), false),
                ("GetCallerIdentity".into(), false)
            ]
        );
    });
}

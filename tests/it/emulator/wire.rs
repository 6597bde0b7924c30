//! The bytes themselves: requests signed in every style that clients use, answers letter by letter.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SessionTokenMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use sekisho::emulator::Emulator;

use super::stage::*;

/// What a request is signed with, and how.
struct Signed<'a> {
    service: &'a str,
    credentials: Credentials,
    settings: SigningSettings,
}

impl<'a> Signed<'a> {
    fn with_key(service: &'a str) -> Self {
        Self { service, credentials: key(KEY, SECRET), settings: SigningSettings::default() }
    }

    fn send(
        self,
        emulator: &Emulator,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let identity = self.credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(self.service)
            .time(SystemTime::now())
            .settings(self.settings)
            .build()
            .unwrap();
        let url = format!("{}{path}", emulator.url());
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        let signable = SignableRequest::new(
            method,
            &url,
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let (instructions, _) = sign(signable.unwrap(), &params.into()).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let headers =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        exchange(emulator, method, path, headers, body)
    }
}

fn exchange<'a>(
    emulator: &Emulator,
    method: &str,
    path: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: &str,
) -> String {
    let host = emulator.url().replace("http://", "");
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Replaces what differs from run to run.
fn constant(answer: &str) -> String {
    let mut out = String::new();
    for line in answer.split('\n').map(|line| line.trim_end_matches('\r')) {
        let mut line = line.to_owned();
        for (from, to) in [
            ("date: ", None),
            ("x-amzn-requestid: ", None),
            ("<RequestId>", Some("</")),
            ("<requestId>", Some("</")),
            ("<RequestID>", Some("</")),
            ("<AccessKeyId>ASIA", Some("</")),
            ("<SecretAccessKey>", Some("</")),
            ("<SessionToken>IQoJb3JpZ2luX2Vj", Some("==</")),
            ("<Expiration>", Some("</")),
        ] {
            let Some(start) = line.find(from).map(|at| at + from.len()) else {
                continue;
            };
            let end = to.map_or(line.len(), |to| start + line[start..].find(to).unwrap());
            assert!(end > start, "nothing after {from}");
            line.replace_range(start..end, "…");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.trim_end().to_owned()
}

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

#[test]
fn success_to_the_letter() {
    let emulator =
        start(|organization| organization.role(DEV, "Developer").unwrap().trust = trust("{}"));
    let body = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=alice&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/ReadOnlyAccess"
    );
    let answer = Signed::with_key("sts").send(&emulator, "POST", "/", &FORM, &body);
    insta::assert_snapshot!(constant(&answer), @r#"
    HTTP/1.1 200 OK
    content-type: text/xml
    date: …
    x-amzn-requestid: …
    connection: close
    content-length: 1017

    <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleResult><Credentials><AccessKeyId>ASIA…</AccessKeyId><SecretAccessKey>…</SecretAccessKey><SessionToken>IQoJb3JpZ2luX2Vj…==</SessionToken><Expiration>…</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROAGTX7R6WPCQ47TMIUY:alice</AssumedRoleId><Arn>arn:aws:sts::222222222222:assumed-role/Developer/alice</Arn></AssumedRoleUser><PackedPolicySize>2</PackedPolicySize></AssumeRoleResult>
      <ResponseMetadata>
        <RequestId>…</RequestId>
      </ResponseMetadata>
    </AssumeRoleResponse>
    "#);
}

#[test]
fn refusal_to_the_letter() {
    let emulator = start(|_| {});
    let body = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=alice");
    let answer = Signed::with_key("sts").send(&emulator, "POST", "/", &FORM, &body);
    insta::assert_snapshot!(constant(&answer), @r#"
    HTTP/1.1 403 Forbidden
    content-type: text/xml
    date: …
    x-amzn-requestid: …
    connection: close
    content-length: 389

    <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <Error>
        <Type>Sender</Type>
        <Code>AccessDenied</Code>
        <Message>User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer</Message>
      </Error>
      <RequestId>…</RequestId>
    </ErrorResponse>
    "#);
}

#[test]
fn refusals_of_the_other_services() {
    let emulator = start(|_| {});
    let target = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AWSOrganizationsV20161128.DescribeOrganization"),
    ];
    let body = |answer: String| constant(answer.split_once("\r\n\r\n").unwrap().1);
    let organizations =
        Signed::with_key("organizations").send(&emulator, "POST", "/", &target, "{}");
    insta::assert_snapshot!(body(organizations), @r#"{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::111111111111:user/alice is not authorized to perform: organizations:DescribeOrganization on resource: * because no identity-based policy allows the organizations:DescribeOrganization action"}"#);
    let run = "Action=RunInstances&Version=2016-11-15&DryRun=true";
    insta::assert_snapshot!(body(Signed::with_key("ec2").send(&emulator, "POST", "/", &FORM, run)), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::111111111111:user/alice is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-1:111111111111:instance/* because no identity-based policy allows the ec2:RunInstances action</Message></Error></Errors><RequestID>…</RequestID></Response>
    "#);
    emulator.with(|organization| {
        permit(organization, allow("ec2:*", "*"));
    });
    let answer = Signed::with_key("ec2").send(&emulator, "POST", "/", &FORM, run);
    assert!(
        answer.starts_with("HTTP/1.1 412 ") && answer.contains("<Code>DryRunOperation</Code>"),
        "{answer}"
    );
    let unknown = Signed::with_key("sts").send(
        &emulator,
        "POST",
        "/",
        &FORM,
        "Action=Nothing&Version=2011-06-15",
    );
    assert!(
        unknown.contains("Could not find operation Nothing for version 2011-06-15"),
        "{unknown}"
    );
}

#[test]
fn every_style_of_signing_is_understood() {
    let emulator = start(|_| {});
    let given = run(async { alice(&emulator).get_session_token().send().await.unwrap() });
    let temporary = session(given.credentials());
    let who = "Action=GetCallerIdentity&Version=2011-06-15";
    let mut checksum = SigningSettings::default();
    checksum.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let mut unsigned_token = SigningSettings::default();
    unsigned_token.session_token_mode = SessionTokenMode::Exclude;
    for (settings, credentials) in [
        (SigningSettings::default(), key(KEY, SECRET)),
        (checksum, key(KEY, SECRET)),
        (SigningSettings::default(), temporary.clone()),
        (unsigned_token, temporary),
    ] {
        let signed = Signed { service: "sts", credentials, settings };
        let answer = signed.send(&emulator, "POST", "/", &FORM, who);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // In the query, in no order, with escapes that need a second encoding.
    let path = "/?Version=2011-06-15&x=a%2Fb%20c%2B&Action=GetCallerIdentity";
    let answer = Signed::with_key("sts").send(&emulator, "GET", path, &[], "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("<Arn>arn:aws:iam::111111111111:user/alice</Arn>"));
}

#[test]
fn unsigned_requests_are_refused() {
    let emulator = start(|_| {});
    let answer = exchange(&emulator, "POST", "/", FORM.into_iter(), "Action=GetCallerIdentity");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("<Code>MissingAuthenticationToken</Code>"), "{answer}");
    let broken = [("authorization", "AWS4-HMAC-SHA256 Credential")].into_iter();
    let answer = exchange(&emulator, "POST", "/", broken, "");
    assert!(answer.contains("<Code>IncompleteSignature</Code>"), "{answer}");
    assert!(answer.contains("not a valid key=value pair (missing equal-sign)"), "{answer}");
}

#[test]
fn answers_carry_the_emulators_time() {
    let emulator = start(|_| {});
    emulator.set_time("2031-02-03T04:05:06Z".parse().unwrap());
    let answer = exchange(&emulator, "GET", "/", std::iter::empty(), "");
    assert!(answer.contains("date: Mon, 03 Feb 2031 04:05:0"), "{answer}");
}

#[test]
fn console_sign_in_takes_role_sessions_only() {
    let emulator =
        start(|organization| organization.role(DEV, "Developer").unwrap().trust = trust("{}"));
    let (plain, direct, chained) = run(async {
        let plain = alice(&emulator).get_session_token().send().await.unwrap();
        let enter = |client: aws_sdk_sts::Client| async move {
            client.assume_role().role_arn(ROLE).role_session_name("alice").send().await.unwrap()
        };
        let chained = enter(sts(&emulator, session(plain.credentials()))).await;
        (
            session(plain.credentials()),
            session(enter(alice(&emulator)).await.credentials()),
            session(chained.credentials()),
        )
    });
    let escape = |text: &str| {
        let escaped = text.replace('%', "%25").replace('+', "%2B").replace('&', "%26");
        escaped.replace('"', "%22").replace('{', "%7B").replace('}', "%7D")
    };
    let ask = |credentials: &Credentials, more: &str| {
        let session = format!(
            r#"{{"sessionId":"{}","sessionKey":"{}","sessionToken":"{}"}}"#,
            credentials.access_key_id(),
            credentials.secret_access_key(),
            credentials.session_token().unwrap_or("none")
        );
        let form = format!("Action=getSigninToken{more}&Session={}", escape(&session));
        let posted = exchange(&emulator, "POST", "/federation", FORM.into_iter(), &form);
        let got =
            exchange(&emulator, "GET", &format!("/federation?{form}"), std::iter::empty(), "");
        assert_eq!(posted[..15], got[..15]);
        (posted[9..12].to_owned(), posted.contains("{\"SigninToken\":\""))
    };
    let (open, closed) = (("200".to_owned(), true), ("400".to_owned(), false));
    assert_eq!(ask(&direct, ""), open);
    assert_eq!(ask(&direct, "&SessionDuration=43200"), open);
    assert_eq!(ask(&direct, "&SessionDuration=899"), closed);
    assert_eq!(ask(&chained, ""), open);
    assert_eq!(ask(&chained, "&SessionDuration=3600"), closed);
    assert_eq!(ask(&plain, ""), closed);
    assert_eq!(ask(&key(KEY, SECRET), ""), closed);
    emulator.advance(Duration::from_secs(3601));
    assert_eq!(ask(&direct, ""), closed);
}

#[test]
fn dropping_it_frees_the_port() {
    let emulator = start(|_| {});
    let port: u16 = emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    let _hanging = TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(emulator);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let again = Emulator::start_on(organization(), port).unwrap();
    assert!(again.url().ends_with(&port.to_string()));
}

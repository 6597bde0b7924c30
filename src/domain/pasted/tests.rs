use proptest::prelude::*;

use super::*;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "CANARY/FEMI+K7MDENG/bPxRfiCYEXAMPLEKEY/+";

#[track_caller]
fn assert_read(text: &str) {
    let key = match read(text.as_bytes()) {
        Ok(key) => key,
        Err(why) => panic!("{why:?}: {text}"),
    };
    assert_eq!((key.id.as_str(), key.secret.expose()), (ID, SECRET), "{text}");
}

#[test]
fn every_form_of_the_consoles_csv_is_read() {
    for (head, row) in [
        ("Access key ID,Secret access key", format!("{ID},{SECRET}")),
        ("User Name,Access Key Id,Secret Access Key", format!("tanaka,{ID},{SECRET}")),
        (
            "User name,Access key ID,Secret access key,Console password",
            format!("tanaka,{ID},{SECRET},"),
        ),
        (
            "User name,Password,Access key ID,Secret access key,Console login link",
            format!(
                "tanaka,\"p,\"\"w\",{ID},{SECRET},https://111111111111.signin.aws.amazon.com/console"
            ),
        ),
        (
            "\"User Name\",\"Access key ID\",\"Secret access key\"",
            format!("\"田中, 太郎\",\"{ID}\",\"{SECRET}\""),
        ),
        ("Access key ID;Secret access key", format!("{ID};{SECRET}")),
        ("Access key ID\tSecret access key", format!("{ID}\t{SECRET}")),
        ("ユーザー名,アクセスキー ID,シークレットアクセスキー", format!("田中,{ID},{SECRET}")),
    ] {
        for (bom, end) in [("", "\n"), ("\u{FEFF}", "\r\n"), ("", "\r"), ("\u{FEFF}\n", "\n\n")] {
            assert_read(&format!("{bom}{head}{end}{row}{end}"));
        }
        // A row that was copied alone.
        if !row.contains("https") {
            assert_read(&row);
        }
    }
}

#[test]
fn lines_of_files_programs_and_shells_are_read() {
    for text in [
        "{id}\n{secret}\n",
        "{secret}\r\n{id}\r\n",
        "  {id} {secret}",
        "aws_access_key_id = {id}\naws_secret_access_key = {secret}\n",
        "[default]\naws_access_key_id={id}\naws_secret_access_key={secret} # mine\nregion = eu-west-1\n",
        "[work]\r\n# aws_access_key_id = AKIAOLD0000000000000\r\naws_secret_access_key: {secret}\r\naws_access_key_id: {id}\r\n",
        "[work]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[mfa]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\naws_session_token = y\n",
        "[a]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[b]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n",
        "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY='{secret}'\nexport AWS_DEFAULT_REGION=eu-west-1\n",
        "export AWS_ACCESS_KEY_ID=\"{id}\"; export AWS_SECRET_ACCESS_KEY=\"{secret}\";",
        "export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} && aws s3 ls",
        "$ export AWS_ACCESS_KEY_ID={id}\n$ export AWS_SECRET_ACCESS_KEY={secret}",
        "AWS_SECRET_ACCESS_KEY={secret}\nAWS_ACCESS_KEY_ID={id}\n",
        "set -gx AWS_ACCESS_KEY_ID {id}\nset -gx AWS_SECRET_ACCESS_KEY \"{secret}\"\n",
        "set -x AWS_ACCESS_KEY_ID {id}; set -x AWS_SECRET_ACCESS_KEY {secret};",
        "setenv AWS_ACCESS_KEY_ID {id}\nsetenv AWS_SECRET_ACCESS_KEY {secret}\n",
        "$Env:AWS_ACCESS_KEY_ID=\"{id}\"\r\n$Env:AWS_SECRET_ACCESS_KEY=\"{secret}\"\r\n",
        "$env:AWS_ACCESS_KEY_ID = '{id}'; $env:AWS_SECRET_ACCESS_KEY = '{secret}'",
        "Set-AWSCredential -AccessKey {id} -SecretKey {secret} -StoreAs default",
        "[Environment]::SetEnvironmentVariable(\"AWS_ACCESS_KEY_ID\", \"{id}\")\n[Environment]::SetEnvironmentVariable(\"AWS_SECRET_ACCESS_KEY\", \"{secret}\")",
        "set AWS_ACCESS_KEY_ID={id}\r\nset AWS_SECRET_ACCESS_KEY={secret}\r\n",
        "setx AWS_ACCESS_KEY_ID {id}\r\nsetx AWS_SECRET_ACCESS_KEY {secret}\r\n",
        "$env.AWS_ACCESS_KEY_ID = \"{id}\"\n$env.AWS_SECRET_ACCESS_KEY = \"{secret}\"\n",
        "load-env {AWS_ACCESS_KEY_ID: \"{id}\", AWS_SECRET_ACCESS_KEY: \"{secret}\"}",
        "aws configure set aws_access_key_id {id}\naws configure set aws_secret_access_key {secret}",
        "AWS Access Key ID [None]: {id}\nAWS Secret Access Key [****************MPLE]: {secret}\nDefault region name [None]: \nDefault output format [None]: \n",
        "Access key: {id}\nSecret access key: {secret}\n",
        "Access key\n{id}\nSecret access key\n{secret}\nHide",
        "Access key\tSecret access key\n{id}\t{secret}",
        "Access key   Secret access key\n{id}   {secret}",
        "Access key ID: {id}\n{secret}\n",
        "Your new key is `{id}` and the secret access key is `{secret}`, please keep it safe.",
        "provider \"aws\" {\n  access_key = \"{id}\"\n  secret_key = \"{secret}\"\n}\n",
        "client = boto3.client('sts', aws_access_key_id='{id}', aws_secret_access_key='{secret}')",
        "docker run -e AWS_ACCESS_KEY_ID={id} -e AWS_SECRET_ACCESS_KEY={secret} image",
        "Environment=\"AWS_ACCESS_KEY_ID={id}\" \"AWS_SECRET_ACCESS_KEY={secret}\"",
        "\"AccessKeyId\": \"{id}\",\n\"SecretAccessKey\": \"{secret}\",",
        "\u{200b}{id}\u{200b}\n\u{a0}{secret}\u{feff}\n",
    ] {
        assert_read(&text.replace("{id}", ID).replace("{secret}", SECRET));
    }
}

#[test]
fn json_is_read_wherever_the_key_is_in_it() {
    let escaped = SECRET.replace('/', "\\/");
    for text in [
        r#"{"AccessKey":{"UserName":"t","AccessKeyId":"{id}","Status":"Active","SecretAccessKey":"{secret}","CreateDate":"2026-01-01T00:00:00Z"}}"#,
        r#"{"AccessKey":{"SecretAccessKey":"{escaped}","AccessKeyId":"{id}"}}"#,
        r#"{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","SessionToken":null}"#,
        r#"{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","SessionToken":""}"#,
        r#"{"AWS_ACCESS_KEY_ID":"{id}","AWS_SECRET_ACCESS_KEY":"{secret}"}"#,
        r#"[{"n":1.5,"b":true,"i":-1,"u":1,"accessKeyId":"{id}","secretAccessKey":"{secret}"}]"#,
        // Cut off, and a dict as Python prints it.
        r#"{"AccessKey": {"UserName": "t", "AccessKeyId": "{id}", "SecretAccessKey": "{secret}","#,
        "{'AccessKey': {'UserName': 't', 'AccessKeyId': '{id}', 'SecretAccessKey': '{secret}'}}",
    ] {
        let text =
            text.replace("{id}", ID).replace("{secret}", SECRET).replace("{escaped}", &escaped);
        assert_read(&text);
    }
}

#[test]
fn files_of_windows_are_read() {
    let text = format!("\u{FEFF}Access key ID,Secret access key\r\n{ID},{SECRET}\r\n");
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&le, &be] {
        assert!(read(bytes).is_ok_and(|key| key.secret.is(SECRET.as_bytes())));
    }
    assert_eq!(read(&le[..le.len() - 1]).err(), Some(NotKey::NotText));
    assert_eq!(read(&[0xFF, 0xFE, 0x00, 0xD8]).err(), Some(NotKey::NotText));
    assert_eq!(read(b"\xE9t\xE9").err(), Some(NotKey::NotText));
}

#[test]
fn what_is_no_key_is_told_by_its_look_and_never_repeated() {
    let session = "IQoJ".repeat(60);
    let id = || ID.parse().unwrap();
    for (text, expected) in [
        ("", NotKey::Nothing),
        (" \r\n\t", NotKey::Nothing),
        (ID, NotKey::IdAlone(id())),
        ("aws_access_key_id = {id}", NotKey::IdAlone(id())),
        ("aws_access_key_id = {id}\naws_secret_access_key =\n", NotKey::IdAlone(id())),
        (
            r#"{"AccessKeyMetadata":[{"AccessKeyId":"{id}","Status":"Active"}]}"#,
            NotKey::IdAlone(id()),
        ),
        ("{secret}", NotKey::SecretAlone),
        ("export AWS_SECRET_ACCESS_KEY={secret}", NotKey::SecretAlone),
        ("ASIAIOSFODNN7EXAMPLE\n{secret}", NotKey::Session),
        ("ASIAIOSFODNN7EXAMPLE", NotKey::Session),
        (&session, NotKey::Session),
        ("AWS_SESSION_TOKEN=canary", NotKey::Session),
        (
            "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\nexport AWS_SESSION_TOKEN=x",
            NotKey::Session,
        ),
        (
            r#"{"Credentials":{"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"canary","SessionToken":"canary"}}"#,
            NotKey::Session,
        ),
        (
            r#"{"roleCredentials":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"canary","sessionToken":"canary","expiration":1}}"#,
            NotKey::Session,
        ),
        (
            "[a]\naws_access_key_id={id}\naws_secret_access_key={secret}\n[b]\naws_access_key_id=AKIAI44QH8DHBEXAMPLE\naws_secret_access_key={secret}\n",
            NotKey::Several(vec![id(), "AKIAI44QH8DHBEXAMPLE".parse().unwrap()]),
        ),
    ] {
        assert_told(text, &expected);
    }
    let why = read(b"canary\ncanary").err().unwrap();
    assert!(
        matches!(why, NotKey::BadId(_)) && !format!("{:?}", why.fault("it")).contains("canary")
    );
}

#[test]
fn credentials_of_other_kinds_are_told_too() {
    for (text, expected) in [
        (
            "User name,Password,Console sign-in URL\ntanaka,canary!,https://111111111111.signin.aws.amazon.com/console",
            NotKey::Other(Other::ConsolePassword),
        ),
        (
            "User name,Password,Access key ID,Secret access key,Console login link\ntanaka,canary,,,https://x",
            NotKey::Other(Other::ConsolePassword),
        ),
        (
            "User Name,Password\ntanaka-at-111111111111,canary",
            NotKey::Other(Other::ConsolePassword),
        ),
        ("canary!Passw0rd", NotKey::Password),
        ("AWS_BEARER_TOKEN_BEDROCK=canary", NotKey::Other(Other::Bedrock)),
        ("ABSKcanarycanarycanarycanarycanary", NotKey::Token("an Amazon Bedrock API key")),
        ("export KEY=bedrock-api-key-canarycanary", NotKey::Token("an Amazon Bedrock API key")),
        (
            r#"{"startUrl":"https://d-1.awsapps.com/start","region":"us-east-1","accessToken":"canary","expiresAt":"x"}"#,
            NotKey::Other(Other::IdentityCenter),
        ),
        (
            "[profile a]\nsso_session = b\nsso_account_id = 111111111111\nsso_role_name = c",
            NotKey::Other(Other::IdentityCenter),
        ),
        ("aoaAAAAAGcanarycanarycanarycanary", NotKey::Token("an IAM Identity Center token")),
        (
            r#"{"accessToken":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"canary","sessionToken":"canary"},"refreshToken":"canary","dpopKey":"canary"}"#,
            NotKey::Other(Other::ConsoleLogin),
        ),
        (
            "[profile a]\nlogin_session = arn:aws:iam::111111111111:user/t",
            NotKey::Other(Other::ConsoleLogin),
        ),
        (
            "[profile a]\nrole_arn = arn:aws:iam::111111111111:role/t\nsource_profile = b",
            NotKey::Other(Other::Role),
        ),
        ("[profile a]\ncredential_process = /bin/canary", NotKey::Other(Other::Process)),
        (
            r#"{"ServiceSpecificCredential":{"ServiceUserName":"t","ServicePassword":"canary"}}"#,
            NotKey::Other(Other::ServicePassword),
        ),
        ("ghp_canarycanarycanarycanarycanary", NotKey::Token("a GitHub token")),
        ("Authorization: eyJcanarycanarycanary", NotKey::Token("a signed token (JWT)")),
        ("AIDAIOSFODNN7EXAMPLE\n{secret}", NotKey::OtherId("of an IAM user")),
        ("AIDAIOSFODNN7EXAMPLE", NotKey::OtherId("of an IAM user")),
        ("https://111111111111.signin.aws.amazon.com/console", NotKey::SignInLink),
        ("arn:aws:iam::111111111111:user/tanaka", NotKey::Arn),
        ("111111111111", NotKey::AccountId),
        ("123456", NotKey::MfaCode),
        ("otpauth://totp/x?secret=CANARY", NotKey::MfaSeed),
        (&"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".repeat(2), NotKey::MfaSeed),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n", NotKey::Pem),
        ("AKIAIOSFODNN7EXAMPLE\n****************", NotKey::Masked),
        ("aws_access_key_id = AKIA…MPLE\naws_secret_access_key = {secret}", NotKey::Masked),
        ("{id}\ncanary\u{200b}canary", NotKey::HiddenCharacters),
        ("AKIAIOSF\u{200b}ODNN7EXAMPLE\n{secret}", NotKey::HiddenCharacters),
        ("hello, canary world", NotKey::Unknown),
    ] {
        assert_told(text, &expected);
    }
}

/// Reads what is no key, and looks for its secrets in what is said about it.
#[track_caller]
fn assert_told(text: &str, expected: &NotKey) {
    let text = text.replace("{id}", ID).replace("{secret}", SECRET);
    let Err(why) = read(text.as_bytes()) else { panic!("a key in {text}") };
    assert_eq!(why, *expected, "{text}");
    let said = format!("{:?}", why.fault("stdin"));
    assert!(!said.to_lowercase().contains("canary"), "{said}");
}

#[test]
fn a_secret_is_read_for_its_id() {
    let id: AccessKeyId = ID.parse().unwrap();
    for answer in [
        SECRET.to_owned(),
        format!("  {SECRET}\n"),
        format!("aws_secret_access_key = {SECRET}"),
        format!("{ID}\n{SECRET}"),
        format!("Access key ID,Secret access key\n{ID},{SECRET}"),
    ] {
        let read = read_secret(&id, answer.as_bytes());
        let Ok(key) = read else { panic!("{:?} {answer}", read.err()) };
        assert!(key.secret.is(SECRET.as_bytes()) && key.id == id, "{answer}");
    }
    // Another endpoint's may be short.
    assert!(read_secret(&id, b"test").is_ok_and(|key| key.secret.is(b"test")));
    let why = |answer: &str| read_secret(&id, answer.as_bytes()).err().unwrap();
    assert_eq!(why(""), NotKey::IdAlone(id.clone()));
    assert_eq!(why("123456"), NotKey::MfaCode);
    let other = format!("AKIAI44QH8DHBEXAMPLE\n{SECRET}");
    assert!(matches!(why(&other), NotKey::Several(ids) if ids.len() == 2));
}

/// A secret as AWS makes it, which no hash looks like.
fn secret() -> impl Strategy<Value = String> {
    "[A-Za-z0-9+/]{39}[+/]"
}

proptest! {
    #[test]
    fn any_key_comes_back_from_every_form(
        id in "AKIA[A-Z2-7]{16}", secret in secret(), user in "[^\"\\p{C}]{0,20}", form in 0..9usize,
    ) {
        let text = match form {
            0 => format!("{id}\n{secret}"),
            1 => format!("Access key ID,Secret access key\r\n{id},{secret}\r\n"),
            2 => format!("User name,Password,Access key ID,Secret access key,Console login link\n\"{user}\",\"{user}\",{id},{secret},https://x\n"),
            3 => format!("[{}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n", user.replace([']', '['], "")),
            4 => serde_json::json!({"AccessKey": {"UserName": user, "AccessKeyId": id, "SecretAccessKey": secret}}).to_string(),
            5 => format!("export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY='{secret}'"),
            6 => format!("set -x AWS_ACCESS_KEY_ID {id}\nset -x AWS_SECRET_ACCESS_KEY {secret}"),
            7 => format!("$Env:AWS_ACCESS_KEY_ID=\"{id}\"\r\n$Env:AWS_SECRET_ACCESS_KEY=\"{secret}\""),
            _ => format!("Access key\n{id}\nSecret access key\n{secret}"),
        };
        let read = read(text.as_bytes());
        prop_assert!(read.is_ok(), "{:?} {}", read.err(), text);
        let key = read.ok().unwrap();
        prop_assert_eq!((key.id.as_str(), key.secret.expose()), (id.as_str(), secret.as_str()));
    }

    #[test]
    fn no_text_panics_and_no_fault_repeats_it(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "([A-Za-z0-9_=:\\[\\]{}\"',;\\\\ \n\r\t$.+/*-]|AKIA|ASIA|aws_access_key_id|AWS_SECRET_ACCESS_KEY=|Access key ID|\u{feff}|…){0,60}",
        canary in "Q[a-z]{11}Q",
    ) {
        let _ = read(&bytes);
        let _ = read(text.as_bytes());
        for text in [
            format!("{text}{canary}"),
            format!("{canary}{text}"),
            format!("aws_access_key_id={canary}\naws_secret_access_key={text}"),
        ] {
            if let Err(why) = read(text.as_bytes()) {
                let said = format!("{:?}", why.fault("stdin"));
                prop_assert!(!said.contains(&canary), "{}", said);
            }
        }
    }
}

//! Codes from a program (`mfa_command`), instead of typed ones.

use std::time::Duration;

use crate::domain::config::Argv;
use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::MfaCode;
use crate::domain::text::sanitize;
use crate::services::child::helper_program::{self, Stderr};

/// How long the program may take: long enough to touch a security key.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the program and takes the first stand-alone six digits of its stdout.
///
/// It gets no `AWS_*` variable and no stdin; its stderr is passed to `on_line`, line by line.
pub async fn from_command(argv: &Argv, on_line: impl Fn(&str)) -> Result<MfaCode, Fault> {
    let name = argv.first().map_or("", String::as_str);
    let wrong = |why: String| {
        Fault::new(Exit::Fault, format!("mfa_command {} failed: {why}", sanitize(name)))
            .fix("run the command by hand, or type the code")
    };
    let printed = helper_program::run("mfa_command", argv, LIMIT, Stderr::Lines(&on_line))
        .await
        .map_err(&wrong)?;
    first_code(&String::from_utf8_lossy(&printed))
        .ok_or_else(|| wrong("its output contains no stand-alone six digits".into()))
}

/// The first run of exactly six digits with no letter or digit next to it.
fn first_code(text: &str) -> Option<MfaCode> {
    text.split(|c: char| !c.is_alphanumeric())
        .find(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()))
        .and_then(MfaCode::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_stands_alone() {
        for (text, code) in [
            ("123456\n", Some("123456")),
            ("AWS:tanaka  654321\n", Some("654321")),
            ("1234567 a123456 12345 000001", Some("000001")),
            ("code=123456;", Some("123456")),
            ("no digits", None),
            ("１２３４５６", None),
        ] {
            let found = first_code(text);
            assert_eq!(found.as_ref().map(MfaCode::expose), code, "{text}");
        }
    }

    #[test]
    fn a_command_gives_a_code_without_aws_variables() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = |script: &str| {
            let argv = vec!["/bin/sh".to_owned(), "-c".into(), script.into()];
            let said = std::cell::RefCell::new(Vec::new());
            let code = runtime.block_on(from_command(&argv, |line| {
                said.borrow_mut().push(line.to_owned());
            }));
            (code.map(|code| code.expose().to_owned()), said.into_inner())
        };
        let (code, said) = run("echo touch >&2; env | grep -c ^AWS_ >&2; echo your code: 246810");
        assert_eq!(
            (code.unwrap().as_str(), said[0].as_str(), said[1].as_str()),
            ("246810", "touch", "0")
        );
        let (code, _) = run("echo locked >&2; exit 3");
        assert!(code.unwrap_err().what.ends_with("failed: it ended with exit code 3: locked"));
        let (code, _) = run("echo 12345");
        assert!(code.unwrap_err().what.ends_with("contains no stand-alone six digits"));
    }
}

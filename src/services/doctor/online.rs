//! Checks with AWS's answers: clock, region, key and devices.

use jiff::SignedDuration;

use crate::domain::duration::age;
use crate::domain::fault::Fault;
use crate::domain::ids::MfaSerial;
use crate::domain::rotation::KeyAtAws;
use crate::domain::secret::{AccessKey, Credentials};
use crate::domain::text::count;
use crate::domain::verdict::Verdict;
use crate::services::aws::{Aws, CallerIdentity, Doing, Failure, FailureKind, SET_CLOCK, Signer};

use super::{DoctorInput, Health, LoginState, Row};

/// How far the clock may be off before AWS refuses some requests: it allows 5 or 15 min.
const SKEW: SignedDuration = SignedDuration::from_mins(4);
/// From when on a key is too old, unless the config sets a limit.
const OLD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// From when on a verification is too old.
const VERIFIED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// AWS's answers; `None` for a call that could not be made.
pub struct Online {
    /// The host of the emulator that answered instead of AWS.
    emulator: Option<String>,
    /// Whether the key itself was tried; otherwise a session of it was.
    with_key: bool,
    /// Whether a session with MFA asked for the devices and keys.
    with_mfa: bool,
    clock: Result<SignedDuration, Failure>,
    caller: Option<Result<CallerIdentity, Failure>>,
    devices: Option<Result<Vec<String>, Failure>>,
    keys: Option<Result<Vec<KeyAtAws>, Failure>>,
}

impl Online {
    /// Gets the time, unsigned; with a key or a session of it also the caller, its devices and its keys.
    ///
    /// The session asks where there is one: a well-guarded user's bare key is denied everything.
    pub async fn ask(
        aws: &Aws,
        key: Option<&AccessKey>,
        session: Option<&Credentials>,
    ) -> Result<Self, Fault> {
        let mut online = Self {
            emulator: aws.emulator_host(),
            with_key: key.is_some(),
            with_mfa: session.is_some(),
            clock: aws.raw().clock().await,
            caller: None,
            devices: None,
            keys: None,
        };
        let (key, session) = (key.map(Signer::Key), session.map(Signer::Session));
        let (Some(first), Some(signer)) = (key.or(session), session.or(key)) else {
            return Ok(online);
        };
        let caller = aws.caller_identity(first).await;
        if let Ok(CallerIdentity { user: Some(user), .. }) = &caller {
            online.devices = Some(aws.mfa_devices(signer, user).await);
            online.keys = Some(aws.access_keys(signer).await);
        }
        online.caller = Some(caller);
        Ok(online)
    }

    /// Who answered.
    fn answerer(&self) -> &str {
        self.emulator.as_deref().unwrap_or("AWS")
    }
}

pub(super) fn rows(input: &DoctorInput<'_>) -> Vec<Row> {
    vec![
        clock(input),
        caller(input),
        key_age(input),
        mfa_device(input),
        console_sign_in(input),
        verified(input),
    ]
}

fn answerer<'a>(input: &'a DoctorInput<'_>) -> &'a str {
    input.online.map_or("AWS", Online::answerer)
}

/// The row for a call that was not made or has failed; `None` where there is an answer.
fn unanswered<T>(
    id: &'static str,
    input: &DoctorInput<'_>,
    answer: Option<&Result<T, Failure>>,
) -> Option<Row> {
    match answer {
        _ if input.online.is_none() => Some(Row::new(id, Health::Skipped, "AWS was not asked")),
        None => Some(Row::new(id, Health::Skipped, "no key to sign the call with")),
        Some(Ok(_)) => None,
        Some(Err(failure)) => {
            let denied = matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny);
            let fault = failure.fault(Doing::Asking);
            let with_mfa = input.online.is_some_and(|online| online.with_mfa);
            Some(match (denied, with_mfa) {
                (true, _) if input.login != LoginState::Unused => {
                    Row::new(id, Health::Unknown, "denied to the console sign-in").remedy(
                        "have iam:ListAccessKeys and iam:ListMFADevices allowed for your own user",
                    )
                }
                (true, false) => {
                    Row::new(id, Health::Unknown, "denied without MFA, as it should be")
                        .remedy("`sekisho login`, then `sekisho doctor`")
                }
                (true, true) => Row::new(id, Health::Unknown, "denied, also with MFA").remedy(
                    "have iam:ListAccessKeys and iam:ListMFADevices allowed for your own user",
                ),
                (false, _) => Row::fault(id, Health::Unknown, &fault),
            })
        }
    }
}

fn clock(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "clock";
    let answer = input.online.map(|online| &online.clock);
    if let Some(row) = unanswered(ID, input, answer) {
        return row;
    }
    match answer {
        Some(Ok(ahead)) if ahead.abs() > SKEW => {
            let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
            let minutes = ahead.abs().as_secs() / 60;
            Row::new(
                ID,
                Health::Fail,
                format!("this machine's clock is {minutes} min {direction} AWS's"),
            )
            .remedy(SET_CLOCK)
        }
        _ => Row::ok(ID, format!("agrees with the clock of {}", answerer(input))),
    }
}

fn caller(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "key-accepted";
    let answer = input.online.and_then(|online| online.caller.as_ref());
    match answer {
        Some(Err(failure)) => {
            let known = matches!(
                failure.kind,
                FailureKind::Unknown
                    | FailureKind::Signature
                    | FailureKind::RegionOff
                    | FailureKind::NotAKey
                    | FailureKind::Expired
            );
            let verdict = if known { Health::Fail } else { Health::Unknown };
            Row::fault(ID, verdict, &failure.fault(Doing::Asking))
        }
        Some(Ok(caller)) => {
            let account = input.settings().map(|config| config.auth.account);
            if caller.user.is_none() {
                Row::new(ID, Health::Fail, "the access key does not belong to an IAM user")
                    .remedy("use an IAM user's key; delete access keys of the root user")
            } else if account.is_some_and(|account| account != caller.account) {
                Row::new(
                    ID,
                    Health::Fail,
                    format!(
                        "the key belongs to {}, not to the config's auth account",
                        caller.account
                    ),
                )
                .remedy("correct `auth.account`, or add the right key: sekisho key add")
            } else {
                let what = match input.online {
                    _ if input.login != LoginState::Unused => "the keys of the console sign-in",
                    Some(online) if !online.with_key => "a session of the key",
                    _ => "the key",
                };
                let asked = answerer(input);
                let not_asked = if asked == "AWS" { "" } else { "; AWS was not asked" };
                Row::ok(ID, format!("{asked} accepts {what}{not_asked}"))
            }
        }
        None => unanswered::<()>(ID, input, None)
            .unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    }
}

fn key_age(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "key-age";
    let answer = input.online.and_then(|online| online.keys.as_ref());
    let keys = match (unanswered(ID, input, answer), answer) {
        (None, Some(Ok(keys))) => keys,
        (row, _) => return row.unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    };
    let guardrails = input.settings().and_then(|config| config.guardrails.as_ref());
    let limit = guardrails
        .and_then(|guardrails| SignedDuration::try_from(guardrails.max_key_age).ok())
        .unwrap_or(OLD);
    let active: Vec<&KeyAtAws> = keys.iter().filter(|key| key.active).collect();
    let oldest =
        active.iter().map(|key| input.now.duration_since(key.created)).max().unwrap_or_default();
    if input.login != LoginState::Unused {
        return match active.len() {
            0 => Row::ok(ID, "the user has no active access key"),
            some => Row::new(
                ID,
                Health::Warn,
                format!("the user still has {}", count(some, "active access key")),
            )
            .remedy("a console sign-in needs none: deactivate it in the IAM console, and delete it when nothing misses it"),
        };
    }
    if oldest > limit {
        Row::new(
            ID,
            Health::Fail,
            format!("an active access key is {} old; the limit is {}", age(oldest), age(limit)),
        )
        .remedy("sekisho key rotate")
    } else if active.len() > 1 {
        // A rotation that is under way has one inactive key or is about to; `--finish` ends only such a one.
        Row::new(ID, Health::Warn, "two access keys are active; one is enough").remedy(
            "if a rotation was interrupted: `sekisho key rotate`; else deactivate the other key in the IAM console",
        )
    } else {
        Row::ok(ID, format!("{} old", age(oldest)))
    }
}

fn mfa_device(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "mfa-device";
    let answer = input.online.and_then(|online| online.devices.as_ref());
    let serials = match (unanswered(ID, input, answer), answer) {
        (None, Some(Ok(serials))) => serials,
        (row, _) => return row.unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    };
    let codes: Vec<MfaSerial> = serials.iter().filter_map(|serial| serial.parse().ok()).collect();
    let configured = input.settings().map(|config| &config.auth.mfa[..]).unwrap_or_default();
    let missing = configured.iter().find(|device| !codes.contains(&device.serial));
    if codes.is_empty() && input.login != LoginState::Unused {
        Row::new(
            ID,
            Health::Warn,
            "no device that generates codes: roles whose trust policy wants MFA may not open",
        )
        .remedy("register an authenticator app beside the passkey")
    } else if serials.is_empty() {
        Row::new(
            ID,
            Health::Fail,
            "the user has a key and no MFA device: whoever has the key may register their own",
        )
        .remedy("register an authenticator app in the console now, then `sekisho key rotate`")
    } else if codes.is_empty() {
        Row::new(
            ID,
            Health::Fail,
            "the user has only security keys, which cannot generate codes for API calls",
        )
        .remedy("register an authenticator app or a hardware token as a second device")
    } else if let Some(device) = missing {
        Row::new(
            ID,
            Health::Fail,
            format!("the config names a device that this user does not have: {}", device.serial),
        )
        .remedy(format!("use this one in `auth.mfa`, or remove `mfa`: {}", codes[0]))
    } else {
        Row::ok(ID, format!("{} that generate codes", codes.len()))
    }
}

/// Whether somebody is signed in, and what nobody has proved about such sign-ins.
fn console_sign_in(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "console-sign-in";
    match input.login {
        LoginState::Unused => Row::ok(ID, "not used: the config names an access key"),
        LoginState::SignedOut => {
            Row::new(ID, Health::Warn, "nobody is signed in, or the sign-in has expired")
                .remedy("sekisho login")
        }
        LoginState::Until(_) => Row::new(
            ID,
            Health::Unknown,
            "signed in; whether that proves MFA to a role's trust policy, AWS does not say",
        )
        .remedy("to see: `sekisho verify TARGET`, with a role that wants MFA"),
    }
}

/// Whether `sekisho verify` was run lately, and what it found.
fn verified(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "verified";
    let Some(config) = input.settings() else {
        return Row::new(ID, Health::Skipped, "no config");
    };
    let accounts = config.catalog.accounts();
    let marks: Vec<_> =
        accounts.iter().filter_map(|account| input.marks.get(&account.id)).collect();
    let open = marks.iter().filter(|mark| mark.verdict == Verdict::Open).count();
    let fresh = marks.iter().filter(|mark| input.now.duration_since(mark.at) < VERIFIED).count();
    if open > 0 {
        Row::new(
            ID,
            Health::Fail,
            format!("the last verification found {} OPEN", count(open, "account")),
        )
        .remedy(
            "`sekisho verify` names the fix of each; most are in what `sekisho policy --write DIR` renders",
        )
    } else if fresh < accounts.len() {
        let what = format!(
            "{} of {} not verified in the last 30 days",
            accounts.len() - fresh,
            count(accounts.len(), "account")
        );
        // Without names, `verify` leaves guarded accounts out, and this would be found for ever.
        let stale = accounts.iter().filter(|account| {
            let mark = input.marks.get(&account.id);
            mark.is_none_or(|mark| input.now.duration_since(mark.at) >= VERIFIED)
        });
        let names: Vec<&str> = stale.map(|account| account.name.as_str()).collect();
        let remedy = match &names[..] {
            few @ ([_] | [_, _] | [_, _, _]) => format!("sekisho verify {}", few.join(" ")),
            _ => "`sekisho verify`; accounts with `guard: confirm` only when they are named".into(),
        };
        Row::new(ID, Health::Warn, what).remedy(remedy)
    } else {
        Row::ok(ID, "every account was verified in the last 30 days")
    }
}

//! What AWS says about clock, region, key and devices.

use jiff::SignedDuration;

use crate::domain::fault::Fault;
use crate::domain::ids::MfaSerial;
use crate::domain::rotation::KeyAtAws;
use crate::domain::text::count;
use crate::domain::verdict::Verdict;
use crate::services::aws::{Aws, CallerIdentity, Doing, Failure, FailureKind, Signer};

use super::{DoctorInput, Health, Row};

/// How far the clock may be off before AWS refuses some requests: it allows 5 or 15 min.
const SKEW: SignedDuration = SignedDuration::from_mins(4);
/// When a key is old, where the config does not say.
const OLD: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a verification is worth something.
const VERIFIED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What AWS answered. A question is `None` where it could not even be asked.
pub struct Online {
    clock: Result<SignedDuration, Failure>,
    caller: Option<Result<CallerIdentity, Failure>>,
    devices: Option<Result<Vec<String>, Failure>>,
    keys: Option<Result<Vec<KeyAtAws>, Failure>>,
}

impl Online {
    /// Asks: the clock unsigned; with a signer also who it is, its devices and its keys.
    ///
    /// A session with MFA is told more than the bare key, which well-guarded users deny everything.
    pub async fn ask(aws: &Aws, signer: Option<Signer<'_>>) -> Result<Self, Fault> {
        let mut online =
            Self { clock: aws.prober()?.clock().await, caller: None, devices: None, keys: None };
        let Some(signer) = signer else {
            return Ok(online);
        };
        let caller = aws.caller_identity(signer).await;
        if let Ok(CallerIdentity { user: Some(user), .. }) = &caller {
            online.devices = Some(aws.mfa_devices(signer, user).await);
            online.keys = Some(aws.access_keys(signer).await);
        }
        online.caller = Some(caller);
        Ok(online)
    }
}

pub(super) fn rows(setup: &DoctorInput<'_>) -> Vec<Row> {
    vec![clock(setup), caller(setup), key_age(setup), mfa_device(setup), verified(setup)]
}

/// A row for what was not asked or not answered; `None` where there is an answer.
fn unanswered<T>(
    id: &'static str,
    setup: &DoctorInput<'_>,
    answer: Option<&Result<T, Failure>>,
) -> Option<Row> {
    match answer {
        _ if setup.online.is_none() => Some(Row::new(id, Health::Skipped, "AWS was not asked")),
        None => Some(Row::new(id, Health::Skipped, "there is no key to ask with")),
        Some(Ok(_)) => None,
        Some(Err(failure)) => {
            let denied = matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny);
            let fault = failure.fault(Doing::Asking);
            Some(if denied {
                Row::new(
                    id,
                    Health::Unknown,
                    "this key may not ask without MFA, which is as it should be",
                )
                .remedy("sekisho login, then sekisho doctor")
            } else {
                Row::fault(id, Health::Unknown, &fault)
            })
        }
    }
}

fn clock(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "clock";
    let answer = setup.online.map(|online| &online.clock);
    if let Some(row) = unanswered(ID, setup, answer) {
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
            .remedy("sudo timedatectl set-ntp true; in WSL: sudo hwclock -s")
        }
        _ => Row::ok(ID, "agrees with AWS's"),
    }
}

fn caller(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "key-accepted";
    let answer = setup.online.and_then(|online| online.caller.as_ref());
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
            let account = setup.settings().map(|config| config.auth.account);
            if caller.user.is_none() {
                Row::new(ID, Health::Fail, "the access key is no IAM user's")
                    .remedy("use an IAM user's key; delete keys of the root user")
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
                Row::ok(ID, "AWS takes the key")
            }
        }
        None => unanswered::<()>(ID, setup, None)
            .unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    }
}

fn key_age(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "key-age";
    let answer = setup.online.and_then(|online| online.keys.as_ref());
    let keys = match (unanswered(ID, setup, answer), answer) {
        (None, Some(Ok(keys))) => keys,
        (row, _) => return row.unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    };
    let guardrails = setup.settings().and_then(|config| config.guardrails.as_ref());
    let limit = guardrails
        .and_then(|guardrails| SignedDuration::try_from(guardrails.max_key_age).ok())
        .unwrap_or(OLD);
    let active: Vec<&KeyAtAws> = keys.iter().filter(|key| key.active).collect();
    let oldest =
        active.iter().map(|key| setup.now.duration_since(key.created)).max().unwrap_or_default();
    let days = oldest.as_hours() / 24;
    if oldest > limit {
        Row::new(
            ID,
            Health::Fail,
            format!(
                "an active access key is {days} days old; the limit is {}",
                limit.as_hours() / 24
            ),
        )
        .remedy("sekisho key rotate")
    } else if active.len() > 1 {
        Row::new(ID, Health::Warn, "two access keys are active: one is enough")
            .remedy("deactivate the one that nothing uses, in the console or by `sekisho key rotate --finish`")
    } else {
        Row::ok(ID, format!("{days} days old"))
    }
}

fn mfa_device(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "mfa-device";
    let answer = setup.online.and_then(|online| online.devices.as_ref());
    let serials = match (unanswered(ID, setup, answer), answer) {
        (None, Some(Ok(serials))) => serials,
        (row, _) => return row.unwrap_or_else(|| Row::new(ID, Health::Skipped, "not asked")),
    };
    let codes: Vec<MfaSerial> = serials.iter().filter_map(|serial| serial.parse().ok()).collect();
    let configured = setup.settings().map(|config| &config.auth.mfa[..]).unwrap_or_default();
    let missing = configured.iter().find(|device| !codes.contains(&device.serial));
    if serials.is_empty() {
        Row::new(ID, Health::Fail, "the user has a key and no MFA device: whoever holds the key may enrol one of their own")
            .remedy("enrol an authenticator app in the console now, then `sekisho key rotate`")
    } else if codes.is_empty() {
        Row::new(
            ID,
            Health::Fail,
            "the user's only devices are security keys, which make no codes for API calls",
        )
        .remedy("register an authenticator app or a hardware token as a second device")
    } else if let Some(device) = missing {
        Row::new(
            ID,
            Health::Fail,
            format!("the config names a device that is not this user's: {}", device.serial),
        )
        .remedy(format!("put this in `auth.mfa`, or leave `mfa` out: {}", codes[0]))
    } else {
        Row::ok(ID, format!("{} that make codes", codes.len()))
    }
}

/// Whether `sekisho verify` has looked lately, and what it found.
fn verified(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "verified";
    let Some(config) = setup.settings() else {
        return Row::new(ID, Health::Skipped, "there is no config");
    };
    let accounts = config.catalog.accounts();
    let marks: Vec<_> =
        accounts.iter().filter_map(|account| setup.marks.get(&account.id)).collect();
    let open = marks.iter().filter(|mark| mark.verdict == Verdict::Open).count();
    let fresh = marks.iter().filter(|mark| setup.now.duration_since(mark.at) < VERIFIED).count();
    if open > 0 {
        Row::new(
            ID,
            Health::Fail,
            format!("the last verification found {} OPEN", count(open, "account")),
        )
        .remedy("sekisho verify")
    } else if fresh < accounts.len() {
        let what = format!(
            "{} of {} not verified in the last 30 days",
            accounts.len() - fresh,
            count(accounts.len(), "account")
        );
        Row::new(ID, Health::Warn, what).remedy("sekisho verify")
    } else {
        Row::ok(ID, "every account was verified in the last 30 days")
    }
}

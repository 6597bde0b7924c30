//! Whose key it is, and which devices make codes: learned from AWS, asked for where AWS does not say.

use crate::domain::config::MfaDevice;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Malformed, MfaSerial, Partition, UserArn, UserName};
use crate::domain::secret::AccessKey;
use crate::domain::text::count;
use crate::services::aws::{CallerIdentity, Doing, Failure, FailureKind, Signer};
use crate::services::session::access_key::iam_user;

use crate::cli::args::InitFrom;
use crate::cli::runtime::block_on;

use super::Setup;
use super::person::Person;
use super::source::Place;

/// How to get a device.
const REGISTER: &str = "register an authenticator app: IAM console, your user, Security credentials, Assign MFA device";

/// What nobody has proved about a console sign-in.
const UNPROVED: [&str; 2] = [
    "AWS does not document whether signing in with a browser satisfies a trust policy that requires MFA; if it does not, such a role needs a six-digit code, and with only a passkey you cannot enter it",
    "to find out, with such a role: sekisho verify TARGET",
];

/// The owner of the key, or whoever is to sign in.
pub struct Identity {
    pub account: AccountId,
    pub user: Option<UserName>,
    pub partition: Partition,
    /// Whether AWS said so; else a person did.
    pub is_proved: bool,
}

/// The devices of a user.
struct Devices {
    serials: Vec<MfaSerial>,
    /// Why one of the others makes no code.
    refused: Option<Malformed>,
}

impl Setup<'_> {
    /// Asks AWS whose key it is; where AWS cannot be reached, a person.
    pub(super) fn identify(
        &self,
        person: &mut Person,
        place: &Place,
        key: &AccessKey,
    ) -> Result<Identity, Fault> {
        let aws = place.aws()?;
        loop {
            let asked =
                block_on(async { Ok::<_, Fault>(aws.caller_identity(Signer::Key(key)).await) });
            let failure = match asked? {
                Ok(caller) => return self.owner(key, &caller),
                Err(failure) => failure,
            };
            let kind = failure.kind;
            let fault = failure.fault(Doing::Asking);
            if kind == FailureKind::Unknown && self.common.region.is_none() {
                return Err(fault.fix(
                    "in China or GovCloud, name a region there: sekisho init --region cn-north-1",
                ));
            }
            if kind != FailureKind::Unreachable {
                return Err(fault);
            }
            if self.arguments.account.is_some() {
                self.out.warn(&format!("the key was not verified: {}", fault.what));
                return self.by_hand(person, place);
            }
            if !person.is_there() {
                return Err(
                    fault.fix("or give it yourself: --account ID --user NAME --mfa-serial SERIAL")
                );
            }
            self.out.fault(&fault);
            if !person.yes(
                "ask AWS again? (n: type account and device yourself)",
                true,
                "--account ID",
            )? {
                return self.by_hand(person, place);
            }
        }
    }

    /// What AWS says, where it is not another user than the options name.
    fn owner(&self, key: &AccessKey, caller: &CallerIdentity) -> Result<Identity, Fault> {
        let user = iam_user(caller)?.clone();
        let other = |what: String, option: &str| {
            Fault::new(Exit::Usage, format!("the access key {} belongs to {what}", key.id.short()))
                .because(format!("{option} names another one"))
                .fix(format!("use that one's key, or leave out {option}"))
        };
        let given = self.arguments;
        if given.account.is_some_and(|account| account != caller.account) {
            return Err(other(format!("account {}", caller.account), "--account"));
        }
        if given.user.as_ref().is_some_and(|named| *named != user) {
            return Err(other(user.to_string(), "--user"));
        }
        let partition = caller.arn.split(':').nth(1).and_then(|name| name.parse().ok());
        self.out.info(&format!("the key is {user}'s in account {}", caller.account.dashed()));
        Ok(Identity {
            account: caller.account,
            user: Some(user),
            partition: partition.unwrap_or(Partition::Aws),
            is_proved: true,
        })
    }

    /// Whoever is to sign in in the browser, as far as a person knows. AWS says the rest when somebody has signed in.
    pub(super) fn of_browser(&self, person: &mut Person, place: &Place) -> Result<Identity, Fault> {
        self.without_key()?;
        self.by_hand(person, place)
    }

    /// Whoever signed in with AWS's own client, as the profile says.
    pub(super) fn of_aws_login(&self, user: &UserArn) -> Result<Identity, Fault> {
        self.without_key()?;
        let differs = |option: &str, of: String| {
            Fault::new(Exit::Usage, format!("the profile is signed in as {user}"))
                .because(format!("{option} names {of}"))
                .fix(format!("leave {option} out, or name another profile"))
        };
        match (self.arguments.account, &self.arguments.user) {
            (Some(account), _) if account != user.account() => {
                Err(differs("--account", account.to_string()))
            }
            (_, Some(named)) if named != user.user() => Err(differs("--user", named.to_string())),
            _ => Ok(Identity {
                account: user.account(),
                user: Some(user.user().clone()),
                partition: user.partition(),
                is_proved: false,
            }),
        }
    }

    /// What nobody has proved of a sign-in in a key's place, and what waits for it.
    fn without_key(&self) -> Result<(), Fault> {
        if self.arguments.from.contains(&InitFrom::Organization) {
            return Err(Fault::new(
                Exit::Usage,
                "the organization's accounts cannot be listed without an access key",
            )
            .because("a console sign-in is used only after the config is written")
            .fix("leave it out: `--from none`; then `sekisho login` and `sekisho import organizations --write FILE`"));
        }
        for line in UNPROVED {
            self.out.info(line);
        }
        Ok(())
    }

    /// What a person knows, where AWS cannot be asked.
    fn by_hand(&self, person: &mut Person, place: &Place) -> Result<Identity, Fault> {
        let account = match self.arguments.account {
            Some(account) => account,
            None => person.ask("account of your IAM user, 12 digits", None, "--account ID", id)?,
        };
        let user = match &self.arguments.user {
            Some(user) => Some(user.clone()),
            None if self.arguments.account.is_some() => None,
            None => person.ask(
                "your IAM user's name (Enter: looked up later)",
                None,
                "--user NAME",
                optional,
            )?,
        };
        Ok(Identity { account, user, partition: place.partition(), is_proved: false })
    }

    /// The devices that make codes. `known` are those of `~/.aws/config`.
    pub(super) fn devices(
        &self,
        person: &mut Person,
        place: &Place,
        key: &AccessKey,
        identity: &Identity,
        known: &[MfaDevice],
    ) -> Result<Vec<MfaDevice>, Fault> {
        let given = self.given_devices(identity)?;
        if !given.is_empty() {
            return Ok(given);
        }
        let serials = match &identity.user {
            Some(user) if identity.is_proved => {
                self.listed(person, place, key, identity, user, known)?
            }
            // They are listed at the first sign-in.
            _ if !person.is_there() => Vec::new(),
            _ => ask_serial(person, identity, known)?.into_iter().collect(),
        };
        Ok(serials.into_iter().map(device).collect())
    }

    /// The devices that options name.
    pub(super) fn given_devices(&self, identity: &Identity) -> Result<Vec<MfaDevice>, Fault> {
        let given = &self.arguments.mfa_serial;
        for serial in given {
            owned(serial, identity.account).map_err(|why| {
                Fault::new(Exit::Usage, format!("{serial}: {why}"))
                    .fix("name your own device: --mfa-serial SERIAL")
            })?;
        }
        Ok(given.iter().cloned().map(device).collect())
    }

    /// What AWS lists, else what a person knows.
    fn listed(
        &self,
        person: &mut Person,
        place: &Place,
        key: &AccessKey,
        identity: &Identity,
        user: &UserName,
        known: &[MfaDevice],
    ) -> Result<Vec<MfaSerial>, Fault> {
        let aws = place.aws()?;
        let signer = Signer::Key(key);
        loop {
            let asked = block_on(async { Ok::<_, Fault>(aws.mfa_devices(signer, user).await) })?;
            let devices = match asked {
                Ok(serials) => Devices::of(&serials),
                Err(failure) => {
                    self.out.info(&not_listed(&failure));
                    return Ok(ask_serial(person, identity, known)?.into_iter().collect());
                }
            };
            if !devices.serials.is_empty() {
                let names: Vec<&str> = devices.serials.iter().map(MfaSerial::short).collect();
                let number = count(names.len(), "MFA device");
                self.out.info(&format!("{number}: {}", names.join(", ")));
                return Ok(devices.serials);
            }
            self.out.warn(&format!("{user} has no MFA device that generates six-digit codes"));
            if let Some(why) = &devices.refused {
                self.out.info(&why.to_string());
            }
            self.out.info(REGISTER);
            if !person.is_there() {
                return Ok(Vec::new());
            }
            let question = "Enter when there is one, its serial, or - to go on without";
            let read = |text: &str| match text {
                "" => Ok(None),
                "-" => Ok(Some(None)),
                text => serial(text, identity.account).map(|serial| Some(Some(serial))),
            };
            if let Some(answer) = person.ask(question, None, "--mfa-serial SERIAL", read)? {
                return Ok(answer.into_iter().collect());
            }
        }
    }
}

impl Devices {
    fn of(serials: &[String]) -> Self {
        let (usable, refused): (Vec<_>, Vec<_>) =
            serials.iter().map(|serial| serial.parse::<MfaSerial>()).partition(Result::is_ok);
        Self {
            serials: usable.into_iter().flatten().collect(),
            refused: refused.into_iter().find_map(Result::err),
        }
    }
}

/// Why there is no list, in a line.
fn not_listed(failure: &Failure) -> String {
    if matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny) {
        return "AWS does not let you list your MFA devices with the key alone".to_owned();
    }
    format!("your MFA devices cannot be listed: {}", failure.fault(Doing::Asking).what)
}

/// Asks for a device; the one in `~/.aws/config`, else the one that most users have, is the default.
fn ask_serial(
    person: &mut Person,
    identity: &Identity,
    known: &[MfaDevice],
) -> Result<Option<MfaSerial>, Fault> {
    let usual = identity.user.as_ref().map(|user| {
        format!("arn:{}:iam::{}:mfa/{user}", identity.partition.name(), identity.account)
    });
    let default = known.first().map(|device| device.serial.to_string()).or(usual);
    let question = "serial of your MFA device (IAM console, Security credentials; -: none)";
    let read = |text: &str| match text {
        "" | "-" => Ok(None),
        text => serial(text, identity.account).map(Some),
    };
    person.ask(question, default.as_deref(), "--mfa-serial SERIAL", read)
}

/// A device without a label.
fn device(serial: MfaSerial) -> MfaDevice {
    MfaDevice { serial, label: None }
}

/// A serial of one's own.
fn serial(text: &str, account: AccountId) -> Result<MfaSerial, Malformed> {
    let serial: MfaSerial = text.parse()?;
    owned(&serial, account)?;
    Ok(serial)
}

fn owned(serial: &MfaSerial, account: AccountId) -> Result<(), Malformed> {
    match serial.account().filter(|owner| *owner != account) {
        Some(owner) => Err(Malformed(format!("this device belongs to account {owner}"))),
        None => Ok(()),
    }
}

/// An account id as people copy it, dashes and all.
pub fn id(text: &str) -> Result<AccountId, Malformed> {
    text.replace(['-', ' '], "").parse()
}

/// What may be left out.
pub fn optional<T: std::str::FromStr<Err = Malformed>>(text: &str) -> Result<Option<T>, Malformed> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

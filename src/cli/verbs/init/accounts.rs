//! Where people switch to: the profiles of `~/.aws/config`, the organization's accounts, or one by name.

use crate::domain::config::MfaDevice;
use crate::domain::config::draft::{Draft, DraftAccount};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{Name, Region, RoleName};
use crate::domain::import::from_profiles::{ImportOptions, Imported, convert};
use crate::domain::import::named;
use crate::domain::import::organization::{self, Naming, Selection};
use crate::domain::secret::AccessKey;
use crate::domain::text::count;
use crate::services::aws::SharedFiles;

use crate::cli::args::InitFrom;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::verbs::import;

use super::identity::{Identity, id};
use super::person::Person;
use super::{OwnSession, Setup};

/// What answers the questions for accounts.
const OPTION: &str = "--from aws-config, --from organization, --from none or --dev-account NAME=ID";

impl Setup<'_> {
    /// The roles in `~/.aws` that the key's owner enters.
    pub(super) fn of_profiles(
        &self,
        identity: &Identity,
        key: Option<&AccessKey>,
        region: Option<Region>,
        mfa: &[MfaDevice],
    ) -> Result<Imported, Fault> {
        let files = SharedFiles::current()?;
        let mut profiles = files.profiles_with_keys().into_iter();
        let options = ImportOptions {
            auth_account: Some(identity.account),
            partition: Some(identity.partition),
            region,
            devices: mfa.iter().map(|device| device.serial.clone()).collect(),
            key_profile: key
                .and_then(|key| profiles.find(|(_, id)| *id == key.id))
                .map(|(name, _)| name),
            ..ImportOptions::default()
        };
        convert(&import::read_profiles(&files.config, &files.credentials, self.out)?, &options)
    }

    /// Fills in the accounts and their role. Returns the session that a code was spent for.
    pub(super) fn accounts(
        &self,
        person: &mut Person,
        identity: &Identity,
        key: Option<&AccessKey>,
        draft: &mut Draft,
    ) -> Result<Option<OwnSession>, Fault> {
        let given = self.arguments;
        let is_asked = given.from.is_empty() && given.dev_account.is_empty();
        if is_asked {
            person.terminal("the accounts to switch to", OPTION)?;
        }
        let wants = |source: InitFrom| given.from.contains(&source);
        let mfa = draft.auth.as_ref().map(|auth| &auth.mfa[..]).unwrap_or_default();
        let imported = self.of_profiles(identity, key, draft.region.clone(), mfa);
        if wants(InitFrom::AwsConfig) {
            self.take_profiles(imported?, draft);
        } else if is_asked
            && let Ok(imported) = imported
            && offer_profiles(person, &imported)?
        {
            self.take_profiles(imported, draft);
        }
        let has_device = draft.auth.as_ref().is_some_and(|auth| !auth.mfa.is_empty());
        let is_wanted = wants(InitFrom::Organization);
        let mut session = None;
        if let Some(key) = key
            && (is_wanted || is_asked && has_device && identity.is_proved && offer_members(person)?)
        {
            let own = OwnSession(self.context_in_memory(draft)?);
            match self.take_members(&own, identity, key, draft) {
                // The code that was spent serves all the same.
                Err(fault) if !is_wanted && fault.exit != Exit::Cancelled => {
                    self.out.fault(&fault);
                }
                done => done?,
            }
            session = Some(own);
        }
        let named = given.dev_account.iter();
        draft.accounts.extend(named.map(|(name, id)| DraftAccount::new(name.clone(), *id)));
        if is_asked && draft.accounts.is_empty() {
            draft.accounts.extend(ask_account(person, identity)?);
        }
        if draft.accounts.iter().any(|account| account.roles.is_empty()) {
            let role: RoleName = if let Some(role) = &given.role {
                role.clone()
            } else {
                let question = "role to assume in accounts that name none";
                person.ask(question, Some("Developer"), "--role NAME", str::parse)?
            };
            draft.roles = vec![role];
        }
        Ok(session)
    }

    fn take_profiles(&self, imported: Imported, draft: &mut Draft) {
        for remark in &imported.remarks {
            self.out.warn(remark);
        }
        for other in &imported.others {
            self.out.warn(&other.line());
        }
        if let (Some(auth), Some(from)) = (&mut draft.auth, imported.draft.auth) {
            auth.mfa_command = from.mfa_command;
        }
        draft.accounts = imported.draft.accounts;
    }

    /// Adds the organization's accounts, with a code.
    fn take_members(
        &self,
        OwnSession(context): &OwnSession,
        identity: &Identity,
        key: &AccessKey,
        draft: &mut Draft,
    ) -> Result<(), Fault> {
        let key = AccessKey { id: key.id.clone(), secret: key.secret.copy() };
        context.broker().preload_key(key);
        let all = Selection::default();
        let members = block_on(prompt::members(context.broker(), &all, &mut context.codes()))?;
        let (more, remarks) = organization::convert(members, identity.account, Naming::default())?;
        for remark in &remarks {
            self.out.info(remark);
        }
        let before = draft.accounts.len();
        organization::join(&mut draft.accounts, more.accounts);
        let added = draft.accounts.len() - before;
        self.out.info(&format!("{} of the organization", count(added, "account")));
        Ok(())
    }
}

/// Asks whether to list the organization's accounts.
fn offer_members(person: &mut Person) -> Result<bool, Fault> {
    let question = "add the organization's accounts? (needs an MFA code and the permission organizations:ListAccounts)";
    person.yes(question, false, OPTION)
}

/// Asks whether to take what the file has.
fn offer_profiles(person: &mut Person, imported: &Imported) -> Result<bool, Fault> {
    let accounts = &imported.draft.accounts;
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    let names = named(&names);
    let (accounts, roles) = (count(accounts.len(), "account"), count(imported.taken, "role"));
    person.show(&format!("~/.aws/config has {accounts} with {roles}: {names}"));
    person.yes("import them?", true, OPTION)
}

/// An account that a person knows.
fn ask_account(person: &mut Person, identity: &Identity) -> Result<Option<DraftAccount>, Fault> {
    let read = |text: &str| match text {
        "" => Ok(None),
        text => id(text).map(Some),
    };
    let question = "account to switch to, 12 digits (Enter: none yet)";
    let Some(id) = person.ask(question, None, OPTION, read)? else { return Ok(None) };
    let user = identity.user.as_ref();
    let name = user.map_or_else(|| "dev".to_owned(), |user| format!("dev-{user}"));
    let read = |text: &str| text.parse::<Name>();
    let name = person.ask("name for it", Some(&name), OPTION, read)?;
    Ok(Some(DraftAccount::new(name, id)))
}

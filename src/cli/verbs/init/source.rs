//! Where the access key is: found in the environment, a profile or the store, else pasted; or none, and the browser signs in.

use crate::domain::config::draft::Draft;
use crate::domain::config::{Auth, KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, Endpoints, Malformed, Partition, Region, UserArn};
use crate::domain::secret::AccessKey;
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::aws::{self, Aws, SharedFiles};
use crate::services::session::access_key::KeyStore;

use crate::cli::args::InitKey;
use crate::cli::runtime::block_on;
use crate::cli::verbs::key::add;
use crate::cli::world::endpoints;

use super::Setup;
use super::person::Person;

/// What gives a key without a question.
const OPTION: &str = "--key -, --key env, --key profile:NAME, --key store or --key login";

/// What signs in.
pub enum Source {
    Key(Chosen),
    /// A person in the browser, at the console.
    Browser,
    /// The sign-in of AWS's own client (`aws login`), by a profile.
    AwsLogin {
        profile: String,
        user: UserArn,
    },
}

impl Source {
    /// Where the config is to say that it is; `None` is the store.
    pub fn in_config(&self) -> Option<KeySource> {
        match self {
            Self::Key(chosen) => chosen.stays_at.clone(),
            Self::Browser => Some(KeySource::Login),
            Self::AwsLogin { profile, .. } => Some(KeySource::Profile(profile.clone())),
        }
    }

    pub fn key(&self) -> Option<&AccessKey> {
        match self {
            Self::Key(chosen) => Some(&chosen.key),
            Self::Browser | Self::AwsLogin { .. } => None,
        }
    }
}

impl From<Chosen> for Source {
    fn from(chosen: Chosen) -> Self {
        Self::Key(chosen)
    }
}

/// The key to sign in with.
pub struct Chosen {
    pub key: AccessKey,
    /// Where the config is to read it; `None` is the store.
    pub stays_at: Option<KeySource>,
    /// Whether the store does not hold it yet.
    pub is_new: bool,
    /// The profile that it is copied from, in plain text.
    pub copied_from: Option<String>,
}

impl Chosen {
    /// A key that goes into the store.
    fn to_store(key: AccessKey) -> Self {
        Self { key, stays_at: None, is_new: true, copied_from: None }
    }

    /// A key that stays where it is.
    fn staying(key: AccessKey, source: KeySource) -> Self {
        Self { key, stays_at: Some(source), is_new: true, copied_from: None }
    }

    /// A copy that goes into the store.
    fn copied(key: AccessKey, source: KeySource) -> Self {
        let copied_from = match source {
            KeySource::Profile(name) => Some(name),
            _ => None,
        };
        Self { copied_from, ..Self::to_store(key) }
    }

    /// A key that the store has.
    fn stored(key: AccessKey) -> Self {
        Self { key, stays_at: None, is_new: false, copied_from: None }
    }
}

/// A key that was found, and may be taken.
enum Found {
    Environment(AccessKey),
    Profile(String, AccessKeyId),
    /// For the account that `--account` names.
    Stored(AccessKey),
}

impl Found {
    fn id(&self) -> &AccessKeyId {
        match self {
            Self::Environment(key) | Self::Stored(key) => &key.id,
            Self::Profile(_, id) => id,
        }
    }

    fn line(&self) -> String {
        let place = match self {
            Self::Environment(_) => "environment".to_owned(),
            Self::Profile(name, _) => format!("profile {}", sanitize(name)),
            Self::Stored(_) => "sekisho's store".to_owned(),
        };
        format!("{place}, {}", self.id().short())
    }
}

/// Where AWS is asked about a key.
pub struct Place {
    region: Region,
    endpoint: Option<String>,
    endpoints: Endpoints,
}

impl Place {
    pub fn of(setup: &Setup<'_>) -> Self {
        Self {
            region: setup
                .common
                .region
                .clone()
                .or_else(ambient_region)
                .unwrap_or_else(|| Partition::Aws.home()),
            endpoint: setup.arguments.endpoint_url.clone(),
            endpoints: endpoints(),
        }
    }

    /// The partition of a key that AWS was not asked about.
    pub fn partition(&self) -> Partition {
        self.region.partition()
    }

    pub fn aws(&self) -> Result<Aws, Fault> {
        Aws::at(self.region.clone(), self.endpoint.clone(), self.endpoints)
    }
}

/// The region that AWS's own tools would use.
pub fn ambient_region() -> Option<Region> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse::<Region>().ok())
}

/// The region of those who name none.
pub fn usual_region(partition: Partition) -> Region {
    let tokyo: Option<Region> = "ap-northeast-1".parse().ok();
    tokyo.filter(|region| region.partition() == partition).unwrap_or_else(|| partition.home())
}

/// What `--key` names, else what a person chooses or pastes.
pub fn choose(setup: &Setup<'_>, person: &mut Person) -> Result<Source, Fault> {
    match &setup.arguments.key {
        Some(InitKey::Stdin) => return Ok(Chosen::to_store(add::from_stdin()?).into()),
        Some(InitKey::Env) => {
            return Ok(named(setup, aws::from_environment()?, KeySource::Env).into());
        }
        Some(InitKey::Profile(name)) => {
            let files = SharedFiles::current()?;
            if let Some(session) = aws::login_session(name, &files) {
                return signed_in(name, session.trim());
            }
            let key = block_on(aws::from_profile(name, &files))?;
            return Ok(named(setup, key, KeySource::Profile(name.clone())).into());
        }
        Some(InitKey::Store) => return stored(setup).map(Source::Key),
        Some(InitKey::Login) => return Ok(Source::Browser),
        None => {}
    }
    // Before anything is looked for: without a terminal it is of no use.
    person.terminal("the access key", OPTION)?;
    let found = find(setup)?;
    let answer = if found.is_empty() { Answer::Paste } else { pick(person, found)? };
    let chosen = match answer {
        Answer::Browser => return Ok(Source::Browser),
        Answer::Paste => return paste(setup, person),
        Answer::Found(Found::Stored(key)) => Chosen::stored(key),
        Answer::Found(Found::Environment(key)) => ask_to_keep(setup, person, key, KeySource::Env)?,
        Answer::Found(Found::Profile(name, _)) => {
            let key = block_on(aws::from_profile(&name, &SharedFiles::current()?))?;
            ask_to_keep(setup, person, key, KeySource::Profile(name))?
        }
    };
    Ok(chosen.into())
}

/// A profile that somebody signed in for with AWS's own client. It says who that was.
fn signed_in(profile: &str, session: &str) -> Result<Source, Fault> {
    let shown = sanitize(profile);
    let user: UserArn = session.parse().map_err(|_| {
        Fault::new(Exit::Usage, format!("profile {shown} is not signed in as an IAM user"))
            .because(format!("its login_session is {}", sanitize(session)))
            .because("roles are entered from an IAM user of the auth account")
            .fix(format!("aws login --profile {}, as that user", shell_quoted(profile)))
            .fix("or let sekisho sign in: sekisho init --key login")
    })?;
    Ok(Source::AwsLogin { profile: profile.to_owned(), user })
}

/// Takes a key that is pasted; nothing means the browser.
fn paste(setup: &Setup<'_>, person: &mut Person) -> Result<Source, Fault> {
    person.show("Paste your access key, or press Enter to sign in with the browser instead.");
    loop {
        let terminal = person.terminal("the access key", OPTION)?;
        match add::ask_for_any(terminal) {
            Ok(Some(key)) => return Ok(Chosen::to_store(key).into()),
            Ok(None) => return Ok(Source::Browser),
            Err(fault) if fault.exit == Exit::Usage => {
                setup.out.fault(&fault);
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// The keys on this machine, each once.
fn find(setup: &Setup<'_>) -> Result<Vec<Found>, Fault> {
    let mut found: Vec<Found> = Vec::new();
    if let Some(Some(Ok(key))) = store_of(setup)?.map(|(store, auth)| store.peek(&auth)) {
        found.push(Found::Stored(key));
    }
    found.extend(aws::from_environment().ok().map(Found::Environment));
    let profiles = SharedFiles::current()?.profiles_with_keys();
    found.extend(profiles.into_iter().map(|(name, id)| Found::Profile(name, id)));
    let mut seen: Vec<AccessKeyId> = Vec::new();
    found.retain(|one| {
        let is_new = !seen.contains(one.id());
        seen.push(one.id().clone());
        is_new
    });
    Ok(found)
}

/// What a person chose.
enum Answer {
    Found(Found),
    /// Another key.
    Paste,
    /// No key.
    Browser,
}

/// Lets a person choose.
fn pick(person: &mut Person, mut found: Vec<Found>) -> Result<Answer, Fault> {
    person.show("Which access key do you sign in with?");
    for (number, one) in (1..).zip(&found) {
        person.show(&format!("  {number}  {}", one.line()));
    }
    let (another, last) = (found.len() + 1, found.len() + 2);
    person.show(&format!("  {another}  another key, which you paste"));
    person.show(&format!("  {last}  none: sign in with the browser"));
    let read = |text: &str| match text.parse::<usize>() {
        Ok(number) if (1..=last).contains(&number) => Ok(number - 1),
        _ => Err(Malformed(format!("a number from 1 to {last}"))),
    };
    let at = person.ask("number", Some("1"), OPTION, read)?;
    Ok(if at < found.len() {
        Answer::Found(found.swap_remove(at))
    } else if at + 1 == another {
        Answer::Paste
    } else {
        Answer::Browser
    })
}

/// A key that was found elsewhere: into the store, or read where it is.
fn ask_to_keep(
    setup: &Setup<'_>,
    person: &mut Person,
    key: AccessKey,
    source: KeySource,
) -> Result<Chosen, Fault> {
    if setup.arguments.store_key {
        return Ok(Chosen::copied(key, source));
    }
    let question = "copy it into the keychain, or without one into a file sealed with a passphrase? (n: sekisho reads it where it is now)";
    let is_stored = person.yes(question, true, "--store-key")?;
    Ok(if is_stored { Chosen::copied(key, source) } else { Chosen::staying(key, source) })
}

/// A key that an option names: it is read where it is, unless it is to be stored.
fn named(setup: &Setup<'_>, key: AccessKey, source: KeySource) -> Chosen {
    if setup.arguments.store_key {
        Chosen::copied(key, source)
    } else {
        Chosen::staying(key, source)
    }
}

/// The store, for the account that `--account` names.
fn store_of(setup: &Setup<'_>) -> Result<Option<(KeyStore, Auth)>, Fault> {
    let Some(account) = setup.arguments.account else { return Ok(None) };
    let Place { region, endpoint, .. } = Place::of(setup);
    let draft = Draft::signing_in(account, region, endpoint);
    let auth = setup.config_of(&draft)?.auth;
    let store = KeyStore::new(&auth, StoreChoice::Auto, &setup.world.paths()?.state);
    Ok(Some((store, auth)))
}

/// The key in sekisho's store, for the account that `--account` names.
fn stored(setup: &Setup<'_>) -> Result<Chosen, Fault> {
    let none = |why: &str| {
        Fault::new(Exit::Usage, "there is no access key in the store")
            .because(why)
            .fix("paste it: sekisho init")
    };
    let store = store_of(setup)?;
    let (store, _) = store.ok_or_else(|| {
        Fault::new(Exit::Usage, "`--key store` needs the account that the key was added for")
            .fix("add --account ID")
    })?;
    let interaction = setup.interaction();
    let found = block_on(async { store.find(&interaction).await.map_err(|error| error.fault()) })?;
    let entry = found.and_then(|(_, entry)| entry.current);
    let entry = entry.ok_or_else(|| none("none was added for this account"))?;
    Ok(Chosen::stored(entry.key))
}

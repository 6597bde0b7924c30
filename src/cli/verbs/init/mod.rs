//! `init`: a first config, which begins at the access key, or at the browser that signs in without one.
//!
//! Nothing is written before the last answer: whoever leaves on the way leaves nothing behind.

mod accounts;
mod identity;
mod person;
mod source;

use std::path::Path;
use std::rc::Rc;

use jiff::Timestamp;

use crate::domain::config::draft::{Draft, DraftAuth};
use crate::domain::config::{Config, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{Malformed, Partition, Region};
use crate::domain::secret::AccessKey;
use crate::domain::text::{count, sanitize, shell_quoted};
use crate::services::child::signals::Ending;
use crate::services::config::cache::LoadedConfig;
use crate::services::config::files::{self, ReadFrom};
use crate::services::session::access_key::KeyStore;
use crate::services::session::sessions::{self, AuthOrigin};

use crate::cli::args::{Common, InitArgs, InitKey};
use crate::cli::context::Context;
use crate::cli::interaction::UserInteraction;
use crate::cli::new_config::{FIRST_WITH_AWS_LOGIN, FIRST_WITHOUT_KEY, HEADING};
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::switcher::Start;
use crate::cli::terminal::cancelled;
use crate::cli::world::World;

use super::key::{self, add};
use super::login::{self, Browser};
use super::pick;
use identity::Identity;
use person::Person;
use source::{Chosen, Place, Source};

/// How much of a new config is shown: a screen.
const SHOWN_LINES: usize = 40;

/// What everything here works with.
struct Setup<'a> {
    world: &'a World,
    common: &'a Common,
    arguments: &'a InitArgs,
    out: Out,
    /// The file that is to be written.
    path: &'a Path,
}

/// Makes a config where there is none.
pub fn run(world: &World, common: &Common, arguments: &InitArgs, out: Out) -> Result<Exit, Fault> {
    if let Some(shell) = &arguments.shell {
        return Err(Fault::new(Exit::Usage, "`init` creates a config").fix(format!(
            "for the shell hook: `sekisho hook {}`",
            shell_quoted(&sanitize(shell))
        )));
    }
    let path = world.new_config_path(common)?;
    nothing_there(&path)?;
    if arguments.key == Some(InitKey::Stdin) && common.mfa_code.is_some() {
        return Err(Fault::new(Exit::Usage, "stdin cannot hold both the key and the code")
            .fix("leave out `--mfa-code -`, or take the key from elsewhere: `--key env`"));
    }
    let setup = Setup { world, common, arguments, out, path: &path };
    let mut person = Person::new();
    let Answers { draft, source, identity, session } = setup.questions(&mut person)?;
    let is_browser = matches!(source, Source::Browser);
    let context = setup.finish(&mut person, &draft, source, &identity)?;
    if let Some(session) = session {
        session.hand_over(&context);
    }
    if draft.accounts.is_empty() {
        out.info("next: add accounts to it, or import them: sekisho import aws-config --write");
        return Ok(Exit::Done);
    }
    if !person.is_there() || arguments.yes {
        out.info(if is_browser { "next: sekisho login" } else { "next: sekisho" });
        return Ok(Exit::Done);
    }
    if is_browser {
        // Not left to the list: in an ssh session a code is pasted, which needs the terminal.
        login::run(&context, None, Browser::Here)?;
    }
    let notice = format!("wrote {}", sanitize(&path.to_string_lossy()));
    pick::over(Rc::new(context), &Start { query: String::new(), notice: Some(notice) })
}

/// Everything that was asked or learned.
struct Answers {
    draft: Draft,
    source: Source,
    identity: Identity,
    session: Option<OwnSession>,
}

/// A config is never overwritten.
fn nothing_there(path: &Path) -> Result<(), Fault> {
    // Not `exists`: a link that leads nowhere is somebody's too.
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let shown = sanitize(&path.to_string_lossy());
    Err(Fault::new(Exit::Usage, format!("the config already exists: {shown}"))
        .because("`init` never overwrites one")
        .fix("to see it: sekisho config show")
        .fix("to make another one: sekisho init --config FILE"))
}

/// The auth session that the list of the organization took a code for, in this process's memory.
struct OwnSession(Context);

impl OwnSession {
    /// So that the next command needs no other code.
    fn hand_over(&self, to: &Context) {
        let now = Timestamp::now();
        let vault = to.broker().vault();
        for (id, session) in sessions::all::<AuthOrigin>(self.0.broker().vault(), now) {
            sessions::put(vault, vault.epoch(), &id, &session, now);
        }
    }
}

impl Setup<'_> {
    /// Everything that is asked, from what signs in to the accounts.
    fn questions(&self, person: &mut Person) -> Result<Answers, Fault> {
        let place = Place::of(self);
        let (source, identity) = self.source_and_owner(person, &place)?;
        let imported = self.of_profiles(&identity, source.key(), None, &[]);
        let suggested = imported.as_ref().ok().and_then(|it| it.draft.auth.as_ref());
        let known = suggested.map(|auth| &auth.mfa[..]).unwrap_or_default();
        let mfa = match source.key() {
            Some(key) => self.devices(person, &place, key, &identity, known)?,
            // AWS lists them to whoever has signed in.
            None => self.given_devices(&identity)?,
        };
        let guess = imported.ok().and_then(|imported| imported.draft.region);
        let region = self.region(person, identity.partition, guess)?;
        let [first, second, third] = HEADING;
        let first = match source {
            Source::Key(_) => first,
            Source::Browser => FIRST_WITHOUT_KEY,
            Source::AwsLogin { .. } => FIRST_WITH_AWS_LOGIN,
        };
        let mut draft = Draft {
            heading: [first, second, third].map(str::to_owned).to_vec(),
            auth: Some(DraftAuth {
                account: identity.account,
                user: identity.user.clone(),
                key: source.in_config(),
                mfa,
                mfa_command: None,
                endpoint_url: self.arguments.endpoint_url.clone(),
            }),
            roles: Vec::new(),
            region: Some(region),
            accounts: Vec::new(),
        };
        let session = self.accounts(person, &identity, source.key(), &mut draft)?;
        Ok(Answers { draft, source, identity, session })
    }

    /// Asks for a key until AWS knows it, or cannot be asked; or for whoever signs in without one.
    fn source_and_owner(
        &self,
        person: &mut Person,
        place: &Place,
    ) -> Result<(Source, Identity), Fault> {
        loop {
            let source = source::choose(self, person)?;
            let key = match &source {
                Source::Key(chosen) => &chosen.key,
                Source::Browser => return Ok((source, self.of_browser(person, place)?)),
                Source::AwsLogin { user, .. } => {
                    let identity = self.of_aws_login(user)?;
                    return Ok((source, identity));
                }
            };
            match self.identify(person, place, key) {
                Ok(identity) => return Ok((source, identity)),
                // What was given as an option is not asked again.
                Err(fault) if self.arguments.key.is_some() || fault.exit == Exit::Cancelled => {
                    return Err(fault);
                }
                Err(fault) => {
                    self.out.fault(&fault);
                }
            }
        }
    }

    /// The region of everything that names none.
    fn region(
        &self,
        person: &mut Person,
        partition: Partition,
        guess: Option<Region>,
    ) -> Result<Region, Fault> {
        let read = |text: &str| {
            let region: Region = text.parse()?;
            if region.partition() == partition {
                return Ok(region);
            }
            let (given, owned) = (region.partition().name(), partition.name());
            Err(Malformed(format!("{region} is in partition {given}, the auth account in {owned}")))
        };
        if let Some(region) = &self.common.region {
            return read(region.as_str()).map_err(|why| {
                Fault::new(Exit::Usage, why.to_string()).fix("name another one: --region")
            });
        }
        let of_environment = source::ambient_region();
        let fits = |region: &Region| region.partition() == partition;
        let guess = of_environment.filter(fits).or(guess.filter(fits));
        match guess {
            Some(region) if !person.is_there() => Ok(region),
            guess => {
                let default = guess.unwrap_or_else(|| source::usual_region(partition));
                person.ask("region", Some(default.as_str()), "--region REGION", read)
            }
        }
    }

    /// Shows what is to be written, asks, and writes it: the key first, which may still ask for a passphrase.
    fn finish(
        &self,
        person: &mut Person,
        draft: &Draft,
        source: Source,
        identity: &Identity,
    ) -> Result<Context, Fault> {
        let text = draft.to_string();
        let shown = sanitize(&self.path.to_string_lossy());
        if !self.arguments.yes {
            person.show(&format!("\n{shown} will hold:\n"));
            let mut lines = text.lines().skip(HEADING.len());
            for line in lines.by_ref().take(SHOWN_LINES) {
                person.show(&format!("  {}", sanitize(line)));
            }
            let more = lines.count();
            if more > 0 {
                person.show(&format!("  … and {}", count(more, "more line")));
            }
            let is_meant = person.yes(&format!("write {shown}?"), true, "--yes")?;
            if !is_meant {
                return Err(cancelled());
            }
        }
        let copied_from = if let Source::Key(Chosen {
            key,
            stays_at: None,
            is_new: true,
            copied_from,
        }) = source
        {
            let context = self.context(self.config_of(draft)?)?;
            let store = key::key_store(&context, self.arguments.weak_passphrase);
            let _claim = store.lock_for_change()?;
            block_on(self.store_and_write(&context, &store, key, identity, &text))?;
            copied_from
        } else {
            self.write(&text)?;
            None
        };
        if let Some(profile) = &copied_from {
            let shown = sanitize(profile);
            let quoted = shell_quoted(profile);
            self.out.info(&format!("profile {shown} still contains the key in plain text; to remove it there: sekisho key import --profile {quoted}"));
        }
        self.out.info(&format!("wrote {shown}, {}", count(draft.accounts.len(), "account")));
        Context::open(self.world.clone(), self.common.clone(), "pick", self.out)
    }

    /// Both, or neither: the key first, which may still ask for a passphrase.
    async fn store_and_write(
        &self,
        context: &Context,
        store: &KeyStore,
        key: AccessKey,
        identity: &Identity,
        text: &str,
    ) -> Result<(), Fault> {
        let room = add::room(context, store, &key.id, self.arguments.yes).await?;
        let mut ending = Ending::listen().map_err(|error| {
            Fault::new(Exit::Fault, "signals cannot be waited for").because(error.to_string())
        })?;
        let user = identity.user.as_ref().filter(|_| identity.is_proved);
        let done = async {
            nothing_there(self.path)?;
            add::put(context, store, key, user, &room).await?;
            // From here on nothing waits, so that no signal comes in between.
            self.write(text).inspect_err(|_| {
                if room.is_empty() {
                    let _ = store.clear();
                }
            })
        };
        tokio::select! {
            biased;
            done = done => done,
            _ = ending.recv() => Err(cancelled()),
        }
    }

    fn write(&self, text: &str) -> Result<(), Fault> {
        nothing_there(self.path)?;
        files::write(self.path, text)
    }

    /// What a draft would mean as the config.
    fn config_of(&self, draft: &Draft) -> Result<Config, Fault> {
        let config = files::read_new(self.path, &draft.to_string())?.config;
        let read_from = ReadFrom::default();
        Ok(self.world.adopt(LoadedConfig { config, warnings: Vec::new(), read_from }).config)
    }

    /// A context of a config that is not written yet.
    fn context(&self, config: Config) -> Result<Context, Fault> {
        let loaded = LoadedConfig { config, warnings: Vec::new(), read_from: ReadFrom::default() };
        Context::with_config(self.world.clone(), self.common.clone(), "init", self.out, loaded)
    }

    /// The same, whose sessions end with this process.
    fn context_in_memory(&self, draft: &Draft) -> Result<Context, Fault> {
        let config = self.config_of(draft)?;
        self.context(Config { store: StoreChoice::None, ..config })
    }

    fn interaction(&self) -> Rc<UserInteraction> {
        Rc::new(UserInteraction::new(self.out))
    }
}

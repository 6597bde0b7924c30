//! `doctor`: diagnoses common problems and weak security settings of this machine.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::config::Strictness;
use crate::domain::fault::Exit;
use crate::services::aws::Aws;
use crate::services::doctor::{self, DoctorInput, Health, LoginState, Online};
use crate::services::store::files::Dir;
use crate::services::store::keychain;
use crate::services::verify;

use crate::cli::args::{Common, DoctorArgs};
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::world::World;

/// Examines this machine. A check that fails does not stop the others.
pub fn run(world: &World, common: &Common, arguments: DoctorArgs, out: Out) -> Exit {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        })
        .collect();
    let paths = world.paths();
    let loaded = world.inspect(common, Strictness::Tolerant);
    // A probe writes; a demo changes nothing outside of itself.
    let keychain = if world.demo().is_some() { Ok(()) } else { keychain::probe() };
    let context = Context::open(world.clone(), common.clone(), "doctor", out).ok();
    let login = context.as_ref().map(login).unwrap_or_default();
    let key = context.as_ref().filter(|_| login == LoginState::Unused);
    let key = key.and_then(Context::key_without_asking);
    let session = context.as_ref().and_then(|context| match (login, arguments.offline) {
        (LoginState::Unused, _) | (_, true) => context.broker().known_auth_session(),
        (_, false) => block_on(context.broker().session_without_asking()).ok(),
    });
    let online = match (&context, arguments.offline) {
        (Some(context), false) => block_on(async {
            let aws = Aws::new(&context.config().auth)?;
            let key = key.as_ref().and_then(|key| key.as_deref().ok());
            Online::ask(&aws, key, session.as_ref()).await
        })
        .ok(),
        _ => None,
    };
    // Where a session lives, the key that it was made with is known.
    let known = context.as_ref().and_then(|context| context.broker().known_key());
    let known = known.filter(|_| session.is_some());
    let key_id = match &key {
        Some(key) => Some(key.as_ref().map(|key| &key.id)),
        None => known.as_ref().map(Ok),
    };
    let sessions =
        context.as_ref().map(|context| context.broker().vault().find_place(Timestamp::now()));
    let marks = paths.as_ref().ok().and_then(|paths| Dir::open(&paths.state).ok().flatten());
    let rows = doctor::examine(&DoctorInput {
        env: &env,
        paths: paths.as_ref(),
        config: loaded.as_ref(),
        keychain: keychain.as_ref().copied(),
        sessions: sessions
            .as_ref()
            .map(|sessions| sessions.as_ref().copied().map_err(String::as_str)),
        key: key_id,
        login,
        online: online.as_ref(),
        marks: &marks.map(|dir| verify::marks(&dir)).unwrap_or_default(),
        now: Timestamp::now(),
    });
    out.print(&if arguments.json { doctor::json(&rows) } else { doctor::text(&rows) });
    let worst = rows.iter().map(|row| row.verdict).max();
    if worst == Some(Health::Fail) { Exit::Fault } else { Exit::Done }
}

/// Whether somebody is signed in at the console, where the config has no key.
fn login(context: &Context) -> LoginState {
    let broker = context.broker();
    if !broker.has_login().unwrap_or(false) {
        return LoginState::Unused;
    }
    let of_keys = || block_on(broker.session_without_asking()).ok().map(|keys| keys.expires);
    broker.login_ends().or_else(of_keys).map_or(LoginState::SignedOut, LoginState::Until)
}

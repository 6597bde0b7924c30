//! `credential-process TARGET`: the JSON that every AWS SDK reads from a profile's `credential_process`.
//!
//! SDKs show at most a line of a failing process's stderr, so a fault is one line here.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Pass, Renew, Terms};
use crate::services::child::environment::Inherited;
use crate::services::child::export;

use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::local_clock::local_clock;
use crate::cli::out::Out;
use crate::cli::prompt::{self, Codes};
use crate::cli::runtime::block_on;
use crate::cli::terminal::Terminal;
use crate::cli::warm;
use crate::cli::world::World;

/// botocore asks again on every call once less than 15 min are left, so it never gets as little.
const RENEW: Renew = Renew::Below(20 * 60);
/// How long to wait without a prompt.
const WITHOUT_PROMPT: Duration = Duration::from_secs(20);
/// How long to wait with a prompt: the user may have to find the phone.
const WITH_PROMPT: Duration = Duration::from_mins(2);

/// Prints the document; asks on the terminal only with `prompt`.
pub fn run(world: &World, common: Common, target: &str, prompt: bool, out: Out) -> Exit {
    let warm = warm::pass(world, &common, &Inherited::current(), target, RENEW, out);
    let pass = match warm {
        Some(pass) => Ok(pass),
        None => issue(world, common, target, prompt, out),
    };
    let printed = pass.and_then(|pass| {
        out.secret(&export::for_process(&pass)).map_err(|error| {
            Fault::new(Exit::Fault, "the credentials could not be written")
                .because(error.to_string())
        })
    });
    match printed {
        Ok(()) => Exit::Done,
        Err(fault) => out.fault_line(&fault),
    }
}

fn issue(
    world: &World,
    common: Common,
    target: &str,
    prompt: bool,
    out: Out,
) -> Result<Pass, Fault> {
    let verb = format!("credential-process {target}");
    let context = Context::open(world.clone(), common, &verb, out)?;
    context.print_warnings();
    let _away = (!prompt).then(|| context.user().detach());
    let (limit, codes) = if context.common().mfa_code.is_some() {
        (WITHOUT_PROMPT, Codes::Stdin)
    } else if prompt {
        (
            WITH_PROMPT,
            Codes::Terminal {
                world: world.clone(),
                clock: local_clock(out),
                patience: Some(WITH_PROMPT),
            },
        )
    } else {
        (WITHOUT_PROMPT, Codes::Nobody)
    };
    let confirm = context.common().confirmation();
    let ask = || prompt.then(|| Terminal::open_for(WITH_PROMPT)).flatten();
    let cleared =
        prompt::clear_on(context.target(target)?, confirm, context.driver(), context.out, ask)?;
    let spare = Terms::LAST_SECONDS;
    let pass = block_on(async {
        // Beyond the terminal's own limit, so that the better message wins.
        let limit = limit + Duration::from_secs(5);
        let entered = context.enter(target, cleared.clone(), RENEW, spare, codes);
        tokio::time::timeout(limit, entered).await.unwrap_or_else(|_| {
            let late = too_late(limit);
            let live = context.broker().live(&cleared, spare);
            live.map(|pass| Pass { unrenewed: Some(late.in_a_line()), ..pass }).ok_or(late)
        })
    })?;
    pass.notes.iter().for_each(|note| out.debug(note));
    pass.warning(Timestamp::now()).iter().for_each(|warning| out.warn(warning));
    Ok(pass)
}

fn too_late(limit: Duration) -> Fault {
    Fault::new(Exit::Fault, format!("no session within {} s", limit.as_secs()))
        .because("AWS, the network or the keychain does not respond")
        .fix("try `sekisho doctor`")
}

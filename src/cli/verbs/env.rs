//! `env`, and what the shell hook calls: `switch` and `refresh`.
//!
//! stdout is for a shell to evaluate, or for its hook to read: empty unless everything succeeded.

use std::io::IsTerminal;
use std::rc::Rc;
use std::time::Duration;

use crate::domain::confirmation::Confirmation;
use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Asking, NotIssued, Renew, Request, Terms};
use crate::services::child::environment::{Environment, Form, Inherited, Masking};
use crate::services::child::shell::{self, Hookable};
use crate::ui::model::Enters;

use crate::cli::args::{Common, EnvArgs, Format, Records};
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::prompt::{self, Codes};
use crate::cli::runtime::block_on;
use crate::cli::switcher::{Chosen, choose_once};
use crate::cli::wanted::{PREVIOUS, Wanted};
use crate::cli::warm::{self, Entry};
use crate::cli::world::World;

/// What an agent may not see.
const ENVIRONMENT: &str = "the environment";

/// Prints the environment of a target, or of none.
pub fn run(world: &World, common: Common, arguments: &EnvArgs, out: Out) -> Result<Exit, Fault> {
    let inherited = Inherited::current();
    let form = match arguments.format {
        Format::Export => {
            Form::Export(arguments.shell.map_or_else(shell::surrounding_language, Into::into))
        }
        Format::Json => Form::Json,
        Format::Dotenv => Form::Dotenv,
    };
    let masking = if std::io::stdout().is_terminal() && !arguments.show {
        Masking::Masked
    } else {
        Masking::Shown
    };
    let target = arguments.target.as_deref();
    let environment = if arguments.unset {
        // Without the config: a broken one must not keep live credentials in the shell.
        world.cleared_environment(&inherited)
    } else if let Some(name) = target.filter(|_| arguments.or_nothing) {
        match enter_quietly(world, common, &inherited, name, out) {
            Ok(entry) => entry.environment,
            Err(fault) => return Ok(out.fault_line(&fault)),
        }
    } else {
        let verb = target.map_or_else(|| "env".to_owned(), |target| format!("env {target}"));
        let wanted = |context: &Context| {
            let Some(name) = target else { return Ok(Wanted::list()) };
            context.check_printable(&context.target(name)?, ENVIRONMENT)?;
            Ok(Wanted::target(name))
        };
        match enter(world, common, &inherited, &verb, target, wanted, Enters::Printed, out)? {
            Entered::Target(entry) => entry.environment,
            Entered::Nothing(exit) => return Ok(exit),
        }
    };
    print(out, &environment, form, masking)
}

/// `switch`: another target for the shell that calls.
pub fn switch(
    world: &World,
    common: Common,
    hook: Option<Records>,
    target: Option<&str>,
    out: Out,
) -> Result<Exit, Fault> {
    hook.ok_or_else(|| missing_hook("switch"))?;
    let inherited = Inherited::current();
    let wanted = match target {
        Some(PREVIOUS) => Wanted::previous(&world.paths()?, &inherited, inherited.depth())?,
        target => target.map_or_else(Wanted::list, Wanted::target),
    };
    let name = wanted.name().map(str::to_owned);
    switch_to(world, common, &inherited, name.as_deref(), |_| Ok(wanted), out)
}

/// Another target for the shell that calls: `wanted`, which is `name` where an answer to that name is kept.
pub fn switch_to(
    world: &World,
    common: Common,
    inherited: &Inherited,
    name: Option<&str>,
    wanted: impl FnOnce(&Context) -> Result<Wanted, Fault>,
    out: Out,
) -> Result<Exit, Fault> {
    match enter(world, common, inherited, "switch", name, wanted, Enters::ThisShell, out)? {
        Entered::Target(entry) => {
            let exit = print_records(out, &entry.environment)?;
            entry.announce(out);
            Ok(exit)
        }
        Entered::Nothing(exit) => Ok(exit),
    }
}

/// `refresh`: a fresh session for the target that the calling shell is in, in the scope that it was entered with
/// and the region that it has now.
///
/// With `quiet`, it neither prompts nor prints: exit code 4 means that a code would be needed.
pub fn refresh(context: &Context, hook: Option<Records>, quiet: bool) -> Result<Exit, Fault> {
    hook.ok_or_else(|| missing_hook("refresh"))?;
    let (name, target) = context.target_of_shell()?.ok_or_else(|| {
        Fault::new(Exit::Usage, "this shell is not in an account")
            .because("SEKISHO_TARGET is not set")
            .fix("sekisho switch TARGET")
    })?;
    let confirm = context.common().confirmation();
    let cleared = if context.is_renewal(&target) {
        match prompt::clear_renewal(&target, context.driver(), context.out) {
            Err(_) if quiet => return Ok(Exit::NeedsPerson),
            cleared => cleared?,
        }
    } else if quiet {
        // Variables alone make no renewal: a `.env` file can set them, too.
        let confirmation = confirm.map_or(Confirmation::Absent, Confirmation::Typed);
        match target.clear(confirmation, context.driver()) {
            Ok(cleared) => cleared,
            Err(_) => return Ok(Exit::NeedsPerson),
        }
    } else {
        prompt::clear(target, confirm, context.driver(), context.out)?
    };
    let pass = if quiet {
        let terms =
            Terms { renew: Renew::ByFlow, asking: Asking::Never, spare: Terms::LAST_SECONDS };
        match block_on(context.issue(&name, &Request::new(cleared, terms))) {
            // The shell has this one already, and says itself when it ends.
            Ok(pass) if pass.unrenewed.is_some() => return Ok(Exit::NeedsPerson),
            Ok(pass) => pass,
            Err(NotIssued::Code(_) | NotIssued::Passphrase(_) | NotIssued::SignIn(_)) => {
                return Ok(Exit::NeedsPerson);
            }
            Err(NotIssued::Outdated(fault) | NotIssued::Fault(fault)) => return Ok(fault.exit),
        }
    } else {
        let terms =
            Terms { renew: Renew::Now, asking: Asking::Allowed, spare: Terms::LAST_SECONDS };
        let issue = async |request: Request| context.issue(&name, &request).await;
        block_on(prompt::pass(context.broker(), cleared, terms, &mut context.codes(), issue))?
    };
    let entry = context.entry(pass, context.inherited().depth());
    let exit = print_records(context.out, &entry.environment)?;
    if !quiet {
        entry.announce(context.out);
    }
    Ok(exit)
}

/// What came of entering a target.
enum Entered {
    /// A target.
    Target(Box<Entry>),
    /// The list was left without a choice.
    Nothing(Exit),
}

/// Enters what is wanted: from an answer that is kept under `name`, else as `wanted` finds in the config.
#[expect(clippy::too_many_arguments, reason = "each is another thing to know")]
fn enter(
    world: &World,
    common: Common,
    inherited: &Inherited,
    verb: &str,
    name: Option<&str>,
    wanted: impl FnOnce(&Context) -> Result<Wanted, Fault>,
    enters: Enters,
    out: Out,
) -> Result<Entered, Fault> {
    let depth = inherited.depth();
    // Whether an agent may see it is for the long way to find out.
    let is_shown = enters == Enters::Printed && inherited.driver().agent().is_some();
    let warm = name.filter(|_| !is_shown);
    let warm = warm.and_then(|name| warm::entry(world, &common, inherited, name, depth, out));
    if let Some(entry) = warm {
        entry.record(&world.paths()?);
        return Ok(Entered::Target(entry.into()));
    }
    let context = Rc::new(Context::open(world.clone(), common, verb, out)?);
    let pass = match wanted(&context)? {
        Wanted::Target(name) => context.pass(&name, Terms::LAST_SECONDS)?,
        Wanted::List(start) => match choose_once(&context, enters, &start)? {
            Chosen::Pass(pass) if enters == Enters::Printed => {
                context.check_printable(&pass.target, ENVIRONMENT)?;
                *pass
            }
            Chosen::Pass(pass) => *pass,
            Chosen::Nothing(exit) => return Ok(Entered::Nothing(exit)),
        },
    };
    let entry = context.entry(pass, depth);
    entry.record(context.paths());
    Ok(Entered::Target(entry.into()))
}

/// How long a change of directory may take where AWS does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Enters the named target where nobody has to be asked: from a live session, or with a live auth session.
fn enter_quietly(
    world: &World,
    common: Common,
    inherited: &Inherited,
    name: &str,
    out: Out,
) -> Result<Entry, Fault> {
    let depth = inherited.depth();
    if inherited.driver().agent().is_none()
        && let Some(entry) = warm::entry(world, &common, inherited, name, depth, out)
    {
        return Ok(entry);
    }
    let context = Context::open(world.clone(), common, &format!("env {name}"), out)?;
    context.check_printable(&context.target(name)?, ENVIRONMENT)?;
    let _away = context.user().detach();
    let confirm = context.common().confirmation();
    let target = context.target(name)?;
    let cleared = prompt::clear_on(target, confirm, context.driver(), out, || None)?;
    let pass = block_on(async {
        let entering =
            context.enter(name, cleared, Renew::ByFlow, Terms::LAST_SECONDS, Codes::Nobody);
        tokio::time::timeout(PATIENCE, entering).await.unwrap_or_else(|_| {
            Err(Fault::new(
                Exit::NeedsPerson,
                format!("AWS does not answer, so {name} was not entered"),
            )
            .fix("run the command again"))
        })
    })?;
    Ok(context.entry(pass, depth))
}

/// Prints what the calling shell's hook reads.
fn print_records(out: Out, environment: &Environment) -> Result<Exit, Fault> {
    print(out, environment, Form::Records, Masking::Shown)
}

fn print(out: Out, environment: &Environment, form: Form, masking: Masking) -> Result<Exit, Fault> {
    if masking == Masking::Masked {
        out.info("secrets are masked on a terminal; `--show` shows them, `eval \"$(sekisho env …)\"` sets them");
    }
    out.secret(&environment.render(form, masking)).map_err(|error| {
        Fault::new(Exit::Fault, "the environment could not be written").because(error.to_string())
    })?;
    Ok(Exit::Done)
}

fn missing_hook(verb: &str) -> Fault {
    let line = match shell::surrounding() {
        Some(Hookable::Fish) => "sekisho hook fish | source".to_owned(),
        Some(shell) => format!("eval \"$(sekisho hook {})\"", shell.name()),
        None => "eval \"$(sekisho hook bash)\"".to_owned(),
    };
    Fault::new(Exit::Usage, format!("`sekisho {verb}` cannot change this shell"))
        .because(
            "the shell hook is not loaded, and a program cannot change its parent's environment",
        )
        .fix(format!("{line}    (in your shell's start-up file, or right here)"))
        .fix("or open a subshell, which has the hook: `sekisho shell TARGET`")
}

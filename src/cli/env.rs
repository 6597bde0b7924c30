//! `env`, and what the shell hook calls: `switch` and `refresh`.
//!
//! stdout is code for a shell to evaluate: empty unless everything succeeded.

use std::io::IsTerminal;

use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::Confirmation;
use crate::domain::pass::{Asking, Pass, Refusal, Renew, Request, Terms};
use crate::services::environment::{Environment, Form, Masking, Syntax};
use crate::services::shell::{Hookable, Shell};

use super::args::{EnvArgs, Format};
use super::context::{Context, block_on};
use super::pick;
use super::prompt;

/// Prints the environment of a target, or of none.
pub fn run(context: &Context, arguments: &EnvArgs) -> Result<Exit, Fault> {
    let form = match arguments.format {
        Format::Export => Form::Export(
            arguments
                .shell
                .map_or_else(|| surrounding(context), Into::into),
        ),
        Format::Json => Form::Json,
        Format::Dotenv => Form::Dotenv,
    };
    let masking = if std::io::stdout().is_terminal() && !arguments.show {
        context.out.say("secrets are masked on a terminal; `--show` shows them, `eval \"$(sekisho env …)\"` sets them");
        Masking::Masked
    } else {
        Masking::Shown
    };
    let environment = if arguments.unset {
        context.cleared_environment()
    } else {
        match chosen(context, arguments.target.as_deref())? {
            Ok(pass) => context.environment(pass, context.inherited().depth()),
            Err(exit) => return Ok(exit),
        }
    };
    print(context, &environment, form, masking)
}

/// `switch`: another target for the shell that calls.
pub fn switch(
    context: &Context,
    hook: Option<Hookable>,
    target: Option<&str>,
) -> Result<Exit, Fault> {
    let shell = hook.ok_or_else(|| missing_hook(context, "switch"))?;
    match chosen(context, target)? {
        Ok(pass) => {
            let environment = context.environment(pass, context.inherited().depth());
            print(
                context,
                &environment,
                Form::Export(shell.into()),
                Masking::Shown,
            )
        }
        Err(exit) => Ok(exit),
    }
}

/// `refresh`: a fresh session for the target that the calling shell is in.
///
/// Quietly, nobody is asked and nothing is said: exit 4 tells that a code would be needed.
pub fn refresh(context: &Context, hook: Option<Hookable>, quiet: bool) -> Result<Exit, Fault> {
    let shell = hook.ok_or_else(|| missing_hook(context, "refresh"))?;
    let name = std::env::var("SEKISHO_TARGET").map_err(|_| {
        Fault::new(Exit::Usage, "this shell is in no account")
            .because("SEKISHO_TARGET is not set")
            .fix("sekisho switch TARGET")
    })?;
    // It was entered before: renewal never asks for the guard again.
    let cleared = context
        .target(&name)?
        .clear(Confirmation::Renewal)
        .map_err(|_| Fault::new(Exit::NeedsPerson, format!("{name} is guarded")))?;
    let pass = if quiet {
        let terms = Terms {
            renew: Renew::ByFlow,
            asking: Asking::Never,
        };
        let request = Request {
            target: cleared,
            code: None,
            passphrase: None,
            terms,
        };
        match block_on(context.broker().issue(&request))? {
            Ok(pass) => pass,
            Err(Refusal::Code(_) | Refusal::Passphrase(_)) => return Ok(Exit::NeedsPerson),
            Err(Refusal::Fault(fault)) => return Ok(fault.exit),
        }
    } else {
        let terms = Terms {
            renew: Renew::Now,
            asking: Asking::Allowed,
        };
        block_on(prompt::pass(
            context.broker(),
            cleared,
            terms,
            &mut context.codes(),
        ))??
    };
    let environment = context.environment(pass, context.inherited().depth());
    print(
        context,
        &environment,
        Form::Export(shell.into()),
        Masking::Shown,
    )
}

/// A pass into the named target, or into one chosen from the list on the terminal.
fn chosen(context: &Context, target: Option<&str>) -> Result<Result<Pass, Exit>, Fault> {
    match target {
        Some(name) => context.pass(name).map(Ok),
        None => pick::choose(context),
    }
}

fn print(
    context: &Context,
    environment: &Environment,
    form: Form,
    masking: Masking,
) -> Result<Exit, Fault> {
    context
        .out
        .secret(&environment.render(form, masking))
        .map_err(|error| {
            Fault::new(Exit::Fault, "the environment could not be written")
                .because(error.to_string())
        })?;
    Ok(Exit::Done)
}

/// The language of the shell that sekisho was started from.
fn surrounding(context: &Context) -> Syntax {
    let shell = Shell::choose(None, context.inherited())
        .ok()
        .and_then(|shell| shell.hookable());
    shell.map_or(Syntax::Bash, Into::into)
}

fn missing_hook(context: &Context, verb: &str) -> Fault {
    let line = match Shell::choose(None, context.inherited())
        .ok()
        .and_then(|shell| shell.hookable())
    {
        Some(Hookable::Fish) => "sekisho hook fish | source".to_owned(),
        Some(shell) => format!("eval \"$(sekisho hook {})\"", shell.name()),
        None => "eval \"$(sekisho hook bash)\"".to_owned(),
    };
    Fault::new(
        Exit::Usage,
        format!("`sekisho {verb}` cannot change this shell"),
    )
    .because("the shell hook is not there, and a program cannot change its parent's environment")
    .fix(format!(
        "{line}    (in your shell's start-up file, or right here)"
    ))
    .fix("or open a subshell, which has the hook: `sekisho shell TARGET`")
}

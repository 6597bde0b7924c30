//! The lines of the help: the keys of what it was opened over.

use super::model::{Mode, Model};
use crate::domain::keymap::{Action, EDITING, FILTERS, Key, KeyCode, Keymap, TABLE};

/// Tries again what failed.
pub(super) const RETRY: Key = Key { ctrl: false, alt: false, code: KeyCode::Char('r') };

/// A key, or several, and what they do.
pub(super) type HelpLine = (String, &'static str);

/// The line of an action.
pub(super) fn key_line(keymap: &Keymap, action: Action, does: &'static str) -> HelpLine {
    let keys: Vec<String> = keymap.keys(action).map(|key| key.to_string()).collect();
    (keys.join(" "), does)
}

/// What the help is about.
pub(super) fn title(back: &Mode) -> &'static str {
    match back {
        Mode::Code(_) => "keys of the code box",
        Mode::Confirm { .. } => "keys of the question",
        Mode::Run(_) => "keys of the command line",
        Mode::Fault { .. } | Mode::SignIn { .. } => "keys of this box",
        _ => "keys",
    }
}

/// The keys of what is under the help, one a line.
pub(super) fn lines(model: &Model, back: &Mode) -> Vec<HelpLine> {
    let fixed = |lines: &[(&str, &'static str)]| -> Vec<HelpLine> {
        lines.iter().map(|(key, does)| ((*key).to_owned(), *does)).collect()
    };
    let keys = |action, does| key_line(&model.setup.keymap, action, does);
    let mut lines = match back {
        Mode::Code(code_box) => {
            let mut lines = fixed(&[
                ("0-9", "the code; the sixth digit sends it"),
                ("paste", "the whole code, spaces or not"),
                ("Backspace", "take the last digit back"),
                ("^U ^W", "take all digits back"),
            ]);
            if code_box.wanted.devices.len() > 1 {
                lines.extend(fixed(&[("Tab Shift-Tab", "the next device, the one before")]));
            }
            lines
        }
        Mode::Confirm { .. } => {
            let mut lines = fixed(&[("Enter", "enter, if the name is right")]);
            lines.extend(fixed(EDITING));
            lines.extend(fixed(&[("^U ^W", "delete everything, the last word")]));
            lines
        }
        Mode::Run(run) => {
            let mut lines = fixed(&[
                ("Enter", "run the command; a paste never does"),
                ("Up Down", "scroll the targets"),
            ]);
            if run.can_confirm(&model.setup.driver) {
                lines.extend(fixed(&[("Tab", "type a guarded account's name, to run there too")]));
            }
            lines.extend(fixed(EDITING));
            lines.extend(fixed(&[("^U ^W", "delete everything, the last word")]));
            lines
        }
        Mode::Fault { retry, .. } => {
            let mut lines = fixed(&[("Enter", "back to the list")]);
            if retry.is_some() {
                let (renew, does) = keys(Action::Renew, "try again");
                lines.insert(0, (format!("{RETRY} {renew}"), does));
            }
            lines
        }
        Mode::SignIn { .. } => vec![keys(Action::Copy, "copy the sign-in URL")],
        _ => {
            let of_list = TABLE.iter().filter_map(|binding| {
                let does = match binding.action {
                    Action::Shell => model.setup.enters.texts().1,
                    Action::Mark if !model.can_mark() => "take the name that is offered",
                    Action::MarkUp if !model.can_mark() => return None,
                    _ => binding.help,
                };
                Some(keys(binding.action, does))
            });
            return of_list.chain(fixed(EDITING)).chain(fixed(FILTERS)).collect();
        }
    };
    lines.push(keys(Action::Back, "back to the list"));
    for action in [Action::Help, Action::Suspend, Action::Quit] {
        let binding = TABLE.iter().find(|binding| binding.action == action);
        // Where a line is typed `?` is one of its letters.
        let is_letter = |key: &Key| matches!(back, Mode::Run(_)) && key.is_text();
        let shown = model.setup.keymap.keys(action).filter(|key| !is_letter(key));
        let shown: Vec<String> = shown.map(|key| key.to_string()).collect();
        lines.extend(binding.map(|binding| (shown.join(" "), binding.help)));
    }
    lines
}

//! The terminal's events as keys of the one table, and as what the mouse does. The only place that looks at their kinds.

use crossterm::event::{
    KeyCode as Code, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::model::Mouse;
use crate::domain::keymap::{Key, KeyCode};

/// The key of an event; `None` for releases and for keys that mean nothing here.
pub fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    let code = match event.code {
        Code::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
        Code::Char(c) => KeyCode::Char(c),
        Code::F(n) => KeyCode::F(n),
        Code::Enter => KeyCode::Enter,
        Code::Esc => KeyCode::Esc,
        Code::Tab => KeyCode::Tab,
        Code::BackTab => KeyCode::BackTab,
        Code::Backspace => KeyCode::Backspace,
        Code::Delete => KeyCode::Delete,
        Code::Up => KeyCode::Up,
        Code::Down => KeyCode::Down,
        Code::Left => KeyCode::Left,
        Code::Right => KeyCode::Right,
        Code::Home => KeyCode::Home,
        Code::End => KeyCode::End,
        Code::PageUp => KeyCode::PageUp,
        Code::PageDown => KeyCode::PageDown,
        _ => return None,
    };
    Some(Key { ctrl, alt, code })
}

/// What the mouse does, where it does something here.
pub fn mouse(event: MouseEvent) -> Option<Mouse> {
    match event.kind {
        MouseEventKind::ScrollUp => Some(Mouse::Up),
        MouseEventKind::ScrollDown => Some(Mouse::Down),
        MouseEventKind::Down(MouseButton::Left) => Some(Mouse::Click { line: event.row }),
        _ => None,
    }
}

/// A key typed before the terminal was raw: what was Enter then arrives as a line feed, `^J`.
pub fn typed_ahead(key: Key) -> Key {
    let line_feed = Key { ctrl: true, alt: false, code: KeyCode::Char('j') };
    if key == line_feed { ENTER } else { key }
}

/// Enter.
pub const ENTER: Key = Key { ctrl: false, alt: false, code: KeyCode::Enter };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_when_it_goes_down_not_when_it_comes_up() {
        let event = |kind| KeyEvent::new_with_kind(Code::Char('1'), KeyModifiers::NONE, kind);
        assert_eq!(key(event(KeyEventKind::Press)), "1".parse().ok());
        assert_eq!(key(event(KeyEventKind::Repeat)), "1".parse().ok());
        assert_eq!(key(event(KeyEventKind::Release)), None);
    }

    #[test]
    fn capitals_and_line_feeds() {
        let ctrl = KeyEvent::new(Code::Char('C'), KeyModifiers::CONTROL | KeyModifiers::SHIFT);
        assert_eq!(key(ctrl), "ctrl-c".parse().ok());
        assert_eq!(key(KeyEvent::new(Code::Char('C'), KeyModifiers::SHIFT)), "C".parse().ok());
        assert_eq!(typed_ahead("ctrl-j".parse().unwrap()), ENTER);
        assert_eq!(key(KeyEvent::new(Code::Insert, KeyModifiers::NONE)), None);
    }
}

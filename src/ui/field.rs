//! Fields to type in: one line of text that is edited by grapheme, six digits, and a text that is not shown.

use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroizing;

use super::fit::width;
use crate::domain::keymap::{Key, KeyCode};
use crate::domain::secret::{MfaCode, Secret, digit};
use crate::domain::text::is_deceptive;

/// No field holds more bytes: a filter or a name is short, a stray paste is not.
const MAX_BYTES: usize = 1_024;

/// One line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub struct Field {
    text: String,
    /// The cursor, a byte offset between two graphemes.
    at: usize,
}

impl Field {
    /// A field that holds a text, the cursor behind it.
    pub fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.insert(text);
        field
    }

    /// What is typed so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts text in at the cursor, without anything that is not one visible line.
    pub fn insert(&mut self, text: &str) {
        let text: String = text
            .chars()
            .map(|c| if c == '\t' { ' ' } else { c })
            .filter(|c| !is_deceptive(*c))
            .collect();
        if self.text.len() + text.len() <= MAX_BYTES {
            self.text.insert_str(self.at, &text);
            self.at += text.len();
            self.settle();
        }
    }

    /// Edits as a key says; whether the text is another one now.
    pub fn changes_by(&mut self, key: Key) -> bool {
        let before = self.text.clone();
        self.edit(key);
        self.text != before
    }

    /// Edits as a key says; `false` where the key means nothing here.
    pub fn edit(&mut self, key: Key) -> bool {
        match (key.ctrl, key.alt, key.code) {
            (false, false, KeyCode::Char(c)) => self.insert(c.encode_utf8(&mut [0; 4])),
            (false, _, KeyCode::Backspace) | (true, false, KeyCode::Char('h')) => {
                let from = self.before();
                self.text.replace_range(from..self.at, "");
                self.at = from;
                self.settle();
            }
            (false, _, KeyCode::Delete) => {
                self.text.replace_range(self.at..self.after(), "");
                self.settle();
            }
            (false, false, KeyCode::Left) => self.at = self.before(),
            (false, false, KeyCode::Right) => self.at = self.after(),
            (true, false, KeyCode::Char('a')) | (false, _, KeyCode::Home) => self.at = 0,
            (true, false, KeyCode::Char('e')) | (false, _, KeyCode::End) => {
                self.at = self.text.len();
            }
            (false, true, KeyCode::Char('b')) | (_, _, KeyCode::Left) => {
                self.at = self.word_before();
            }
            (false, true, KeyCode::Char('f')) | (_, _, KeyCode::Right) => {
                self.at = self.word_after();
            }
            (true, false, KeyCode::Char('u')) => self.clear(),
            (true, false, KeyCode::Char('w')) => self.delete_word(),
            _ => return false,
        }
        true
    }

    /// Deletes the whole text.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Deletes the word before the cursor, with the spaces behind it.
    pub fn delete_word(&mut self) {
        let from = self.word_before();
        self.text.replace_range(from..self.at, "");
        self.at = from;
        self.settle();
    }

    /// Where the word before the cursor begins.
    fn word_before(&self) -> usize {
        let head = self.text[..self.at].trim_end();
        head.rfind(' ').map_or(0, |space| space + 1)
    }

    /// Where the word after the cursor ends.
    fn word_after(&self) -> usize {
        let rest = &self.text[self.at..];
        let word = rest.trim_start();
        let end = word.find(' ').unwrap_or(word.len());
        self.at + (rest.len() - word.len()) + end
    }

    fn before(&self) -> usize {
        let last = self.text[..self.at].graphemes(true).next_back();
        self.at - last.map_or(0, str::len)
    }

    fn after(&self) -> usize {
        let next = self.text[self.at..].graphemes(true).next();
        self.at + next.map_or(0, str::len)
    }

    /// Moves the cursor to a grapheme's edge, where an edit has joined two.
    fn settle(&mut self) {
        let mut edges = self.text.grapheme_indices(true).map(|(at, _)| at);
        let edge = edges.find(|edge| *edge >= self.at);
        self.at = edge.unwrap_or(self.text.len());
    }

    /// The whole text in lines of at most `room` columns, and the cursor's line and column in them.
    pub fn wrapped(&self, room: usize) -> (Vec<&str>, (usize, usize)) {
        let (mut lines, mut from) = (Vec::new(), 0);
        let mut cursor = None;
        for (at, grapheme) in self.text.grapheme_indices(true) {
            if at > from && width(&self.text[from..at + grapheme.len()]) > room {
                lines.push(&self.text[from..at]);
                from = at;
            }
            if at == self.at {
                cursor = Some((lines.len(), width(&self.text[from..at])));
            }
        }
        let last = &self.text[from..];
        let cursor = cursor.unwrap_or((lines.len(), width(last)));
        lines.push(last);
        (lines, cursor)
    }

    /// The part around the cursor that fits into `room` columns, and the cursor's column in it.
    pub fn shown(&self, room: usize) -> (&str, usize) {
        // One column is the cursor's, behind the last letter.
        let mut from = 0;
        while width(&self.text[from..self.at]) >= room.max(1) {
            let first = self.text[from..self.at].graphemes(true).next();
            from += first.map_or(1, str::len);
        }
        let mut to = self.at;
        for grapheme in self.text[self.at..].graphemes(true) {
            if width(&self.text[from..to + grapheme.len()]) > room {
                break;
            }
            to += grapheme.len();
        }
        (&self.text[from..to], width(&self.text[from..self.at]))
    }
}

/// The digits of a code as they are typed; wiped on drop.
#[derive(Default)]
pub struct Digits(Zeroizing<String>);

impl Digits {
    /// The digits so far.
    pub fn shown(&self) -> &str {
        &self.0
    }

    /// Takes a typed digit, full-width ones too; the code when it is the sixth.
    pub fn push(&mut self, c: char) -> Option<MfaCode> {
        self.0.extend(digit(c));
        MfaCode::parse(&self.0)
    }

    /// Takes the last digit back.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Takes them all back.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A text that is typed without being shown; wiped on drop.
pub struct Hidden(Zeroizing<String>);

impl Default for Hidden {
    /// Empty, and large enough never to grow: growing would leave an unwiped copy behind.
    fn default() -> Self {
        Self(Zeroizing::new(String::with_capacity(MAX_BYTES)))
    }
}

impl Hidden {
    /// How many characters are typed.
    pub fn len(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what was typed or pasted, up to the end of its line.
    pub fn insert(&mut self, text: &str) {
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        if self.0.len() + line.len() <= MAX_BYTES {
            self.0.push_str(line);
        }
    }

    /// Takes the last character back.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Takes everything back.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Gives the text away and is empty again.
    pub fn take(&mut self) -> Secret {
        let mut typed = std::mem::take(self);
        Secret::new(std::mem::take(&mut *typed.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, keys: &str) {
        for key in keys.split(' ') {
            assert!(field.edit(key.parse().unwrap()), "{key}");
        }
    }

    #[test]
    fn editing_goes_by_grapheme_and_word() {
        let mut field = Field::new("dev 開発e\u{301}");
        press(&mut field, "backspace");
        assert_eq!(field.text(), "dev 開発");
        press(&mut field, "left left x delete");
        assert_eq!(field.text(), "dev x発");
        press(&mut field, "right ctrl-w");
        assert_eq!(field.text(), "dev ");
        press(&mut field, "ctrl-w");
        assert_eq!(field.text(), "");
        press(&mut field, "backspace delete left right");
        let mut field = Field::new("tan dev  read");
        press(&mut field, "ctrl-a x alt-f y alt-f z");
        assert_eq!(field.text(), "xtany devz  read");
        press(&mut field, "ctrl-e 1 alt-b 2 alt-b 3 home 4 end 5 alt-left 6");
        assert_eq!(field.text(), "4xtany devz  632read15");
        assert!(!field.edit("ctrl-q".parse().unwrap()));
    }

    #[test]
    fn a_paste_is_one_visible_line() {
        assert_eq!(Field::new("dev\r\n\u{1b}[31m\ttan\u{202e}").text(), "dev[31m tan");
        assert_eq!(Field::new(&"x".repeat(MAX_BYTES + 1)).text(), "");
    }

    #[test]
    fn a_long_text_shows_the_part_around_the_cursor() {
        let mut field = Field::new("abc開発def");
        assert_eq!(field.shown(20), ("abc開発def", 10));
        assert_eq!(field.shown(6), ("発def", 5));
        press(&mut field, "left left left left left");
        assert_eq!(field.shown(6), ("abc開", 3));
        assert_eq!(field.shown(0).1, 0);
        assert_eq!(field.shown(1), ("", 0));
        assert_eq!(field.wrapped(6), (vec!["abc開", "発def"], (0, 3)));
        press(&mut field, "end");
        assert_eq!(field.wrapped(5), (vec!["abc開", "発def"], (1, 5)));
        assert_eq!(field.wrapped(1), (vec!["a", "b", "c", "開", "発", "d", "e", "f"], (7, 1)));
        assert_eq!(Field::default().wrapped(5), (vec![""], (0, 0)));
    }

    #[test]
    fn a_hidden_text_is_one_line_and_leaves_nothing() {
        let mut hidden = Hidden::default();
        assert!(hidden.is_empty());
        hidden.insert("wörd?");
        hidden.pop();
        hidden.insert(" 関\nrest");
        assert_eq!(hidden.len(), 6);
        assert_eq!(hidden.take().expose(), "wörd 関");
        assert!(hidden.is_empty());
        hidden.insert(&"x".repeat(MAX_BYTES + 1));
        assert!(hidden.is_empty());
    }

    #[test]
    fn the_sixth_digit_makes_a_code() {
        let mut digits = Digits::default();
        assert!("1x２ 34".chars().all(|c| digits.push(c).is_none()));
        digits.pop();
        assert!("45".chars().all(|c| digits.push(c).is_none()));
        assert_eq!(digits.push('6').unwrap().expose(), "123456");
    }
}

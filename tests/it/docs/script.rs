//! Reads as much of a shell's grammar as the documentation uses.

use std::iter::Peekable;
use std::str::Chars;

/// The commands of a script, each as its words: those in `$(…)` too; comments and redirections are left out.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let mut reader = Reader {
        chars: script.chars().peekable(),
        commands: Vec::new(),
        words: Vec::new(),
        word: None,
        quote: None,
        is_file: false,
    };
    reader.read();
    reader.commands
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    commands: Vec<Vec<String>>,
    /// The words so far of the command that is being read.
    words: Vec<String>,
    word: Option<String>,
    quote: Option<char>,
    /// Whether the word belongs to a redirection.
    is_file: bool,
}

impl Reader<'_> {
    #[expect(clippy::match_same_arms, reason = "a quote of one kind goes before the backslash")]
    fn read(&mut self) {
        while let Some(c) = self.chars.next() {
            match (self.quote, c) {
                (Some('\''), '\'') | (Some('"'), '"') => self.quote = None,
                (Some('\''), c) => self.push(c),
                (_, '\\') => match self.chars.next() {
                    Some('\n') | None => {}
                    Some(c) => self.push(c),
                },
                (_, '$') if self.chars.next_if_eq(&'(').is_some() => self.substitution(),
                (Some(_), c) => self.push(c),
                (None, '\'' | '"') => {
                    self.quote = Some(c);
                    self.word.get_or_insert_default();
                }
                (None, '#') if self.word.is_none() => {
                    while self.chars.next_if(|c| *c != '\n').is_some() {}
                }
                (None, '>' | '<') => {
                    // The 2 of `2>` is no word.
                    self.word = self.word.take().filter(|word| word.parse::<u8>().is_err());
                    self.end_word();
                    while self.chars.next_if(|c| ['>', '<', '&'].contains(c)).is_some() {}
                    self.is_file = true;
                }
                (None, '|' | ';' | '&' | '\n' | '(' | ')') => self.end_command(),
                (None, c) if c.is_whitespace() => self.end_word(),
                (None, c) => self.push(c),
            }
        }
        self.end_command();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// `$(` was read.
    fn substitution(&mut self) {
        let mut depth = 1;
        let mut inner = String::new();
        for c in self.chars.by_ref() {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            if depth == 0 {
                break;
            }
            inner.push(c);
        }
        self.commands.extend(commands(&inner));
        self.word.get_or_insert_default().push_str("$(…)");
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_file)
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }
}

#[test]
fn commands_are_read_as_a_shell_would() {
    let script = "A=1 x --json | jq -r '.[] | .y' > a  # z no\neval \"$(x env \"a b\")\" && y 2>/dev/null; x b -- \\\n  c <<< d";
    let found: Vec<String> = commands(script).iter().map(|words| words.join("·")).collect();
    assert_eq!(
        found,
        ["A=1·x·--json", "jq·-r·.[] | .y", "x·env·a b", "eval·$(…)", "y", "x·b·--·c"]
    );
}

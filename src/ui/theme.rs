//! Colours and glyphs, all of them. Colour never carries meaning alone: a glyph or a word says it too.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use crate::domain::account;
use crate::domain::config::Symbols;

/// How the screen looks: which glyphs, and whether there are colours.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// The set for this terminal: UTF-8 or ASCII.
    pub glyphs: &'static Glyphs,
    paint: Paint,
}

/// Whether there are colours: the 16 ANSI ones on the terminal's own foreground and background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// The 16 ANSI colours.
    Color,
    /// None (`NO_COLOR`, `--color never`).
    Plain,
}

/// The glyphs that are not words.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Glyphs {
    pub cursor: &'static str,
    pub prompt: &'static str,
    pub live: &'static str,
    pub ending: &'static str,
    pub none: &'static str,
    pub star: &'static str,
    /// A row that is marked for a command.
    pub marked: &'static str,
    /// The row that the surrounding shell is in.
    pub here: &'static str,
    pub dot: &'static str,
    pub rule: &'static str,
    pub ellipsis: &'static str,
    pub enter: &'static str,
    pub blank_digit: &'static str,
    /// A character that is typed and not shown.
    pub hidden: &'static str,
    pub border: border::Set<'static>,
}

/// A guarded row, in every set.
pub const GUARD: &str = "!";

/// For terminals with UTF-8.
pub const UNICODE: Glyphs = Glyphs {
    cursor: "▌",
    prompt: "›",
    live: "●",
    ending: "◐",
    none: "○",
    star: "★",
    marked: "✓",
    here: "→",
    dot: "·",
    rule: "─",
    ellipsis: "…",
    enter: "⏎",
    blank_digit: "_",
    hidden: "•",
    border: border::ROUNDED,
};

/// For every other terminal, and for fonts that draw ambiguous widths wide.
pub const ASCII: Glyphs = Glyphs {
    cursor: ">",
    prompt: ">",
    live: "*",
    ending: "~",
    none: "-",
    star: "+",
    marked: "x",
    here: "@",
    dot: "-",
    rule: "-",
    ellipsis: "~",
    enter: "Enter",
    blank_digit: "_",
    hidden: "*",
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Glyphs {
    /// The set that a config and a terminal call for; `locale` is the first set of `LC_ALL`,
    /// `LC_CTYPE`, `LANG`.
    pub fn choose(symbols: Symbols, locale: &str, term: &str) -> &'static Self {
        let locale = locale.to_ascii_lowercase().replace('-', "");
        let unicode = match symbols {
            Symbols::Unicode => true,
            Symbols::Ascii => false,
            Symbols::Auto => locale.contains("utf8") && !matches!(term, "" | "dumb"),
        };
        if unicode { &UNICODE } else { &ASCII }
    }
}

impl Theme {
    /// A theme of these glyphs, painted or plain.
    pub const fn new(glyphs: &'static Glyphs, paint: Paint) -> Self {
        Self { glyphs, paint }
    }

    fn style(self, color: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        match self.paint {
            Paint::Color => style.fg(color),
            Paint::Plain => style,
        }
    }

    /// The row under the cursor.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The ground of the row under the cursor. Reversed, it can be read on every ground and in every palette; without
    /// colours the mark alone tells the row.
    pub fn painted(self) -> Style {
        match self.paint {
            Paint::Color => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            Paint::Plain => self.selected(),
        }
    }

    /// The mark of the row under the cursor, and the filter's.
    pub fn accent(self) -> Style {
        self.style(Color::Cyan, Modifier::BOLD)
    }

    /// Letters that the filter matched.
    pub fn highlight(self) -> Style {
        self.style(Color::Cyan, Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// What can be missed: titles, rules.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A key in the footer.
    pub fn key(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A live session.
    pub fn live(self) -> Style {
        self.style(Color::Green, Modifier::empty())
    }

    /// A session about to end, a warning.
    pub fn warning(self) -> Style {
        self.style(Color::Yellow, Modifier::BOLD)
    }

    /// A guarded target, a fault.
    pub fn danger(self) -> Style {
        self.style(Color::Red, Modifier::BOLD)
    }

    /// An account's own colour.
    pub fn account(self, color: Option<account::Color>) -> Style {
        use account::Color as C;
        let color = match color {
            None => return Style::new(),
            Some(C::Black) => Color::Black,
            Some(C::Red) => Color::Red,
            Some(C::Green) => Color::Green,
            Some(C::Yellow) => Color::Yellow,
            Some(C::Blue) => Color::Blue,
            Some(C::Magenta) => Color::Magenta,
            Some(C::Cyan) => Color::Cyan,
            Some(C::Gray) => Color::Gray,
            Some(C::DarkGray) => Color::DarkGray,
            Some(C::LightRed) => Color::LightRed,
            Some(C::LightGreen) => Color::LightGreen,
            Some(C::LightYellow) => Color::LightYellow,
            Some(C::LightBlue) => Color::LightBlue,
            Some(C::LightMagenta) => Color::LightMagenta,
            Some(C::LightCyan) => Color::LightCyan,
            Some(C::White) => Color::White,
        };
        self.style(color, Modifier::empty())
    }
}

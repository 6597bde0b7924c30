//! Text in columns, for people.

use crate::ui::fit::width;

/// Lays rows out in columns two spaces apart, as wide as their widest cell is on a screen.
pub fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (cell, most) in row.iter().zip(&mut widths) {
            *most = width(cell).max(*most);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, most) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(most - width(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_keep_the_columns() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(
            align(&[row("開発", "1"), row("dev-a", "2"), row("x", "")]),
            "開発   1\ndev-a  2\nx\n"
        );
    }
}

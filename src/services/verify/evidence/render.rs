//! Pages as HTML and as Markdown. Everything that comes from outside is escaped.

use std::fmt::Write;

use super::Language;
use super::page::Block;

/// Readable on a screen and printed, without anything from elsewhere.
const STYLE: &str = "
body{font:15px/1.5 system-ui,'Noto Sans CJK JP',sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #999}h3{font-size:1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem;font-size:.85rem}
th,td{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere;min-width:5.5rem}
td:first-child{white-space:nowrap}
th{background:#eee}td.open{background:#fdd;font-weight:bold}td.doubt{background:#fec}
@media print{body{margin:0;max-width:none;font-size:9pt}tr{break-inside:avoid}h2{break-after:avoid}}
";

/// A page that loads nothing; `data` is put in at its end, as it is.
pub(super) fn html(page: &[Block], language: Language, data: &str) -> String {
    let mut body = String::new();
    let mut title = "sekisho verify";
    for block in page {
        match block {
            Block::Title(text) => {
                title = text;
                let _ = writeln!(body, "<h1>{}</h1>", escape(text));
            }
            Block::Heading(text) => {
                let _ = writeln!(body, "<h2>{}</h2>", escape(text));
            }
            Block::Subheading(text) => {
                let _ = writeln!(body, "<h3>{}</h3>", escape(text));
            }
            Block::Paragraph(text) => {
                let _ = writeln!(body, "<p>{}</p>", escape(text));
            }
            Block::List(items) => {
                let items = items.iter().map(|item| format!("<li>{}</li>", escape(item)));
                let _ = writeln!(body, "<ul>{}</ul>", items.collect::<String>());
            }
            Block::Table { head, rows } => table(&mut body, head, rows, language),
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}{data}\n</body>\n</html>\n",
        language.tag(),
        escape(title),
    )
}

fn table(body: &mut String, head: &[String], rows: &[Vec<String>], language: Language) {
    use crate::domain::verdict::Verdict::{NotProved, Open};
    let _ = writeln!(body, "<table>");
    if !head.is_empty() {
        let cells = head.iter().map(|cell| format!("<th>{}</th>", escape(cell)));
        let _ = writeln!(body, "<tr>{}</tr>", cells.collect::<String>());
    }
    for row in rows {
        let cells = row.iter().map(|cell| {
            let class = match cell {
                cell if cell == language.verdict(Open) => " class=\"open\"",
                cell if cell == language.verdict(NotProved) => " class=\"doubt\"",
                _ => "",
            };
            format!("<td{class}>{}</td>", escape(cell))
        });
        let _ = writeln!(body, "<tr>{}</tr>", cells.collect::<String>());
    }
    let _ = writeln!(body, "</table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The page as GitHub's Markdown.
pub(super) fn markdown(page: &[Block]) -> String {
    let mut text = String::new();
    for block in page {
        match block {
            Block::Title(line) => {
                let _ = writeln!(text, "# {}\n", plain(line));
            }
            Block::Heading(line) => {
                let _ = writeln!(text, "## {}\n", plain(line));
            }
            Block::Subheading(line) => {
                let _ = writeln!(text, "### {}\n", plain(line));
            }
            Block::Paragraph(line) => {
                let _ = writeln!(text, "{}\n", plain(line));
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(text, "- {}", plain(item));
                }
                text.push('\n');
            }
            Block::Table { head, rows } => {
                let columns = head.len().max(rows.first().map_or(0, Vec::len));
                let empty = vec![String::new(); columns];
                let line = |cells: &[String]| {
                    let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
                    format!("| {} |\n", cells.join(" | "))
                };
                text += &line(if head.is_empty() { &empty } else { head });
                let _ = writeln!(text, "|{}", "---|".repeat(columns));
                for row in rows {
                    text += &line(row);
                }
                text.push('\n');
            }
        }
    }
    text
}

/// Text that Markdown takes literally.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(char);
            }
            '\n' | '\r' => out.push(' '),
            char => out.push(char),
        }
    }
    out
}

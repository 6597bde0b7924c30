//! Templates: JSON policies and plain text, both with `{{names}}` to fill.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One statement of a policy.
pub(super) type Statement = Map<String, Value>;

/// What a name in a policy template stands for.
#[derive(Debug, Clone)]
enum Filling {
    One(String),
    Many(Vec<String>),
}

/// What the names in policy templates stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<&'static str, Filling>);

impl Values {
    /// `{{name}}` stands for one text.
    pub(super) fn one(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.0.insert(name, Filling::One(text.into()));
        self
    }

    /// `{{name}}` stands for a list: what holds it is repeated for each item, and vanishes where there is none.
    ///
    /// An empty list under a condition removes the condition. So it may be empty only where that
    /// makes a Deny broader.
    pub(super) fn many<T: ToString>(mut self, name: &'static str, items: &[T]) -> Self {
        let items = items.iter().map(T::to_string).collect();
        self.0.insert(name, Filling::Many(items));
        self
    }

    /// `{{name}}` stands for a text, and what holds it vanishes where there is none.
    pub(super) fn maybe(mut self, name: &'static str, text: Option<String>) -> Self {
        let filling = text.map_or(Filling::Many(Vec::new()), Filling::One);
        self.0.insert(name, filling);
        self
    }

    /// Every text that a template text stands for, and whether it names a list.
    fn expand(&self, text: &str) -> (Vec<String>, bool) {
        let mut texts = vec![text.to_owned()];
        let mut is_list = false;
        for (name, filling) in &self.0 {
            let mark = format!("{{{{{name}}}}}");
            if !text.contains(&mark) {
                continue;
            }
            let items = match filling {
                Filling::One(item) => std::slice::from_ref(item),
                Filling::Many(items) => {
                    is_list = true;
                    items.as_slice()
                }
            };
            texts = texts
                .iter()
                .flat_map(|text| items.iter().map(|item| text.replace(&mark, item)))
                .collect();
        }
        (texts, is_list)
    }

    /// Fills a template value; `None` where only empty lists stood.
    fn fill(&self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => match self.expand(text) {
                (texts, true) => (!texts.is_empty()).then(|| texts.into()),
                (texts, false) => texts.into_iter().next().map(Value::String),
            },
            Value::Array(items) => {
                let filled: Vec<Value> = items
                    .iter()
                    .filter_map(|item| self.fill(item))
                    .flat_map(|item| match item {
                        Value::Array(inner) => inner,
                        one => vec![one],
                    })
                    .collect();
                (!filled.is_empty()).then_some(Value::Array(filled))
            }
            Value::Object(entries) => {
                let filled: Map<String, Value> = entries
                    .iter()
                    .flat_map(|(key, value)| {
                        self.expand(key).0.into_iter().map(move |k| (k, value))
                    })
                    .filter_map(|(key, value)| Some((key, self.fill(value)?)))
                    .collect();
                (!filled.is_empty()).then_some(Value::Object(filled))
            }
            other => Some(other.clone()),
        }
    }

    /// The statements of a policy template. One whose actions are an empty list is left out.
    pub(super) fn statements(&self, template: &str) -> Vec<Statement> {
        let template: Value = serde_json::from_str(template).unwrap_or_default();
        let filled = self.fill(&template["Statement"]);
        let Some(Value::Array(statements)) = filled else {
            return Vec::new();
        };
        statements
            .into_iter()
            .filter_map(|statement| match statement {
                Value::Object(statement) => Some(statement),
                _ => None,
            })
            .filter(|s| s.contains_key("Action") || s.contains_key("NotAction"))
            .collect()
    }

    /// Any JSON template, filled.
    pub(super) fn json(&self, template: &str) -> Value {
        let template: Value = serde_json::from_str(template).unwrap_or_default();
        self.fill(&template).unwrap_or_default()
    }
}

/// What the names in a text template stand for; a section (`{{#name}}` to `{{/name}}`, on lines of
/// their own) is repeated for each of its scopes.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    texts: BTreeMap<&'static str, String>,
    sections: BTreeMap<&'static str, Vec<Scope>>,
}

impl Scope {
    /// `{{name}}` stands for a text; its further lines are indented as the line that names it.
    pub(super) fn text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.texts.insert(name, text.into());
        self
    }

    /// A section with its scopes; without any it vanishes.
    pub(super) fn section(mut self, name: &'static str, scopes: Vec<Scope>) -> Self {
        self.sections.insert(name, scopes);
        self
    }

    /// Fills a template.
    pub(super) fn render(&self, template: &str) -> String {
        let mut out = String::new();
        let mut lines = template.lines();
        while let Some(line) = lines.next() {
            let section = line.strip_prefix("{{#").and_then(|l| l.strip_suffix("}}"));
            let Some(name) = section else {
                out.push_str(&self.line(line));
                out.push('\n');
                continue;
            };
            let end = format!("{{{{/{name}}}}}");
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            for scope in self.sections.get(name).into_iter().flatten() {
                let mut texts = self.texts.clone();
                texts.extend(scope.texts.clone());
                let inner = Self { texts, sections: scope.sections.clone() };
                out.push_str(&inner.render(&body.join("\n")));
            }
        }
        out
    }

    fn line(&self, line: &str) -> String {
        let margin = &line[..line.len() - line.trim_start().len()];
        let mut line = line.to_owned();
        for (name, text) in &self.texts {
            let mark = format!("{{{{{name}}}}}");
            if line.contains(&mark) {
                let indented = text.trim_end().replace('\n', &format!("\n{margin}"));
                line = line.replace(&mark, &indented.replace(&format!("\n{margin}\n"), "\n\n"));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_repeats_what_holds_it_and_an_empty_one_removes_it() {
        let values = Values::default()
            .one("org", "o-1")
            .many("types", &["t3.*", "t4g.*"])
            .many::<String>("none", &[]);
        let filled = values.json(
            r#"{"a": "{{types}}", "b": ["x", "db.{{types}}"], "{{types}}:sub": "{{org}}/y",
                "c": {"{{none}}:sub": "true"}, "d": ["{{none}}"], "e": true}"#,
        );
        assert_eq!(
            filled,
            json!({"a": ["t3.*", "t4g.*"], "b": ["x", "db.t3.*", "db.t4g.*"],
                   "t3.*:sub": "o-1/y", "t4g.*:sub": "o-1/y", "e": true})
        );
    }

    #[test]
    fn a_section_repeats_and_lines_keep_their_margin() {
        let scope = Scope::default().text("top", "T").section(
            "items",
            vec![Scope::default().text("it", "1\n\n2"), Scope::default().text("it", "3")],
        );
        let text = scope.render(
            "a {{top}}\n{{#items}}\n  - {{it}} {{top}}\n{{/items}}\n{{#no}}\nx\n{{/no}}\nb",
        );
        assert_eq!(text, "a T\n  - 1\n\n  2 T\n  - 3 T\nb\n");
    }
}

//! Nothing is declared that nothing uses. The crate shows its parts to tests and benchmarks, so the compiler takes all of
//! them for used; here a name counts as used when production code says it anywhere else than where it is declared.

use super::sources::{Source, all_production, none};
use std::collections::HashMap;
use syn::visit::{self, Visit};

/// What embeds a server calls: methods of these need no caller here.
const FACE: &[&str] = &[
    "AsyncServer",
    "Config",
    "Connecting",
    "Denied",
    "Error",
    "History",
    "Hooks",
    "Message",
    "Publication",
    "Publications",
    "Reading",
    "Replay",
    "Server",
    "Subscription",
    "Writing",
];

/// What no production code uses, and why it is there all the same.
const UNUSED: &[(&str, &str)] = &[
    ("add_channel", "a store on disk waits for the engine that keeps histories in it"),
    ("append_at", "places that something else than the hub gives wait for an engine that gives them"),
    ("has_ring", "tests ask it whether this kernel can do what they check"),
];

/// The names that a file declares, each with the type that it is a method of.
#[derive(Default)]
struct Declared {
    names: Vec<(String, Option<String>)>,
    within: Option<String>,
}

impl Declared {
    fn of(source: &Source) -> Vec<(String, Option<String>)> {
        let mut declared = Declared::default();
        declared.visit_file(&syn::parse_file(&source.text).expect("the compiler reads it too"));
        declared.names
    }

    fn add(&mut self, name: &syn::Ident, attributes: &[syn::Attribute]) {
        if !is_conditional(attributes) {
            self.names.push((name.to_string(), self.within.clone()));
        }
    }
}

/// Whether something is there only under a condition, such as in tests.
fn is_conditional(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg") || attribute.path().is_ident("test"))
}

fn has_source(fields: &syn::Fields) -> bool {
    fields.iter().any(|field| field.attrs.iter().any(|attribute| attribute.path().is_ident("from")))
}

impl Visit<'_> for Declared {
    fn visit_item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Mod(item) if is_conditional(&item.attrs) => return,
            syn::Item::Fn(item) => self.add(&item.sig.ident, &item.attrs),
            syn::Item::Struct(item) => self.add(&item.ident, &item.attrs),
            syn::Item::Enum(item) => {
                self.add(&item.ident, &item.attrs);
                // What holds the source of an error is made by `?`.
                let made = item.variants.iter().filter(|variant| !has_source(&variant.fields));
                made.for_each(|variant| self.add(&variant.ident, &variant.attrs));
            }
            syn::Item::Const(item) if item.ident != "_" => self.add(&item.ident, &item.attrs),
            syn::Item::Static(item) => self.add(&item.ident, &item.attrs),
            syn::Item::Type(item) => self.add(&item.ident, &item.attrs),
            syn::Item::Trait(item) => {
                self.add(&item.ident, &item.attrs);
                for member in &item.items {
                    if let syn::TraitItem::Fn(method) = member {
                        self.add(&method.sig.ident, &method.attrs);
                    }
                }
            }
            // What a trait demands is used by whoever uses the trait.
            syn::Item::Impl(item) if item.trait_.is_none() => {
                if let syn::Type::Path(of) = &*item.self_ty {
                    self.within = of.path.segments.last().map(|segment| segment.ident.to_string());
                }
                for member in &item.items {
                    match member {
                        syn::ImplItem::Fn(method) => self.add(&method.sig.ident, &method.attrs),
                        syn::ImplItem::Const(constant) => self.add(&constant.ident, &constant.attrs),
                        _ => {}
                    }
                }
                self.within = None;
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

/// How often each word stands in the code of some files.
fn words(sources: &[Source]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for (_, line) in sources.iter().flat_map(Source::code) {
        for word in line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()) {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The declarations that nothing uses, as `path: name`.
fn dead(sources: &[Source]) -> Vec<(String, String)> {
    let counts = words(sources);
    let declared: Vec<_> =
        sources.iter().flat_map(|source| Declared::of(source).into_iter().map(move |found| (source, found))).collect();
    let mut declarations: HashMap<&str, usize> = HashMap::new();
    declared.iter().for_each(|(_, (name, _))| *declarations.entry(name).or_default() += 1);
    declared
        .iter()
        .filter(|(_, (name, within))| {
            let face = within.as_deref().is_some_and(|within| FACE.contains(&within));
            name != "main" && !face && counts.get(name).copied().unwrap_or(0) <= declarations[name.as_str()]
        })
        .map(|(source, (name, _))| (source.path.clone(), name.clone()))
        .collect()
}

#[test]
fn what_is_declared_is_used() {
    let dead = dead(&all_production());
    let is_known = |name: &str| UNUSED.iter().any(|(known, _)| *known == name);
    let unknown = dead.iter().filter(|(_, name)| !is_known(name));
    let mut violations: Vec<String> = unknown.map(|(path, name)| format!("{path}: nothing uses {name}")).collect();
    let used = UNUSED.iter().filter(|(known, _)| !dead.iter().any(|(_, name)| name == known));
    violations.extend(used.map(|(name, _)| format!("{name} is used, and needs no place in UNUSED")));
    none(&violations);
}

#[test]
fn what_nothing_uses_is_found() {
    let text = "//! A.\nstruct Used;\nimpl Used {\n    fn called() {}\n    fn idle() {}\n}\nfn main() { Used::called() }\n\
        enum E { One }\n// idle, E::One\n#[cfg(test)]\nmod tests {\n    use super::E;\n}\n";
    let source = Source { path: "src/a.rs".to_owned(), text: text.to_owned() };
    let found: Vec<String> = dead(&[source]).into_iter().map(|(_, name)| name).collect();
    assert_eq!(found, ["idle", "E", "One"]);
}

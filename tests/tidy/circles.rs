//! No two files of a room need each other, by however many steps: each can be read without knowing how it is used.
//!
//! A file needs another when it imports from it or names something in it by a path. A `mod.rs` is what its folder has in
//! common: that it declares files and hands on what they hold by `pub use` is no need, nor what they take from it.

use super::sources::{Source, none, production};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// A path as it is written: its segments.
type Segments = Vec<String>;

/// What one file says: the modules it declares, what it hands on, and the paths it uses.
#[derive(Default)]
struct Said {
    declared: BTreeSet<String>,
    /// Names handed on, and where they come from.
    handed_on: BTreeMap<String, Segments>,
    used: BTreeSet<Segments>,
}

impl Said {
    fn of(source: &Source) -> Said {
        let file = syn::parse_file(&source.text).expect("the compiler reads it too");
        let mut said = Said::default();
        said.visit_file(&file);
        said
    }

    /// Takes one import, a name at a time.
    fn import(&mut self, tree: &syn::UseTree, before: &Segments, is_public: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Segments>();
        let mut take = |name: String, path: Segments| {
            if is_public {
                self.handed_on.insert(name, path);
            } else {
                self.used.insert(path);
            }
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), is_public),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.import(item, before, is_public)),
            syn::UseTree::Name(name) if name.ident == "self" => take(String::new(), before.clone()),
            syn::UseTree::Name(name) => take(name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(name) => take(name.rename.to_string(), with(&name.ident)),
            syn::UseTree::Glob(_) => take(String::new(), before.clone()),
        }
    }
}

/// Whether an item is there for tests alone.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl Visit<'_> for Said {
    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        if module.content.is_none() {
            self.declared.insert(module.ident.to_string());
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, import: &syn::ItemUse) {
        if !is_for_tests(&import.attrs) {
            let is_public = !matches!(import.vis, syn::Visibility::Inherited);
            self.import(&import.tree, &Segments::new(), is_public);
        }
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.segments.len() > 1 {
            self.used.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// The modules that lead to a file: `src/wire/http/mod.rs` is `wire`, `http`.
fn module_of(path: &str) -> Segments {
    let inside = path.split_once("src/").map_or(path, |(_, inside)| inside).trim_end_matches(".rs");
    inside.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

/// All files of a crate by their modules.
struct Files(BTreeMap<Segments, Said>);

impl Files {
    fn of(sources: &[Source]) -> Files {
        Files(sources.iter().map(|source| (module_of(&source.path), Said::of(source))).collect())
    }

    /// The file that holds what a path means, as written in the file `from`; `None` when that is of another crate.
    fn holder(&self, from: &Segments, path: &[String]) -> Option<Segments> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Segments::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from.clone(), path),
            first if self.0.get(from)?.declared.contains(first) => (from.clone(), path),
            _ => return None,
        };
        while rest.first().is_some_and(|first| first == "super") {
            at.pop();
            rest = &rest[1..];
        }
        while let Some(next) = rest.first() {
            let below: Segments = at.iter().cloned().chain([next.clone()]).collect();
            if self.0.contains_key(&below) {
                (at, rest) = (below, &rest[1..]);
            } else if let Some(origin) = self.0.get(&at).and_then(|said| said.handed_on.get(next)) {
                return self.holder(&at, origin);
            } else {
                break;
            }
        }
        self.0.contains_key(&at).then_some(at)
    }

    /// Which files of its room each file needs.
    fn needs(&self) -> BTreeMap<&Segments, BTreeSet<Segments>> {
        let of = |(from, said): (_, &Said)| {
            let found = said.used.iter().filter_map(|path| self.holder(from, path));
            (from, found.filter(|to| !from.starts_with(to) && to.first() == from.first()).collect())
        };
        self.0.iter().map(of).collect()
    }

    /// The groups of files that need each other, each once.
    fn circles(&self) -> Vec<String> {
        let needs = self.needs();
        let reach = |from: &Segments| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(at) = open.pop() {
                open.extend(needs[at].iter().filter(|next| seen.insert((*next).clone())));
            }
            seen
        };
        let reached: BTreeMap<&Segments, BTreeSet<Segments>> = needs.keys().map(|from| (*from, reach(from))).collect();
        let circle = |from: &Segments| {
            reached[from].iter().filter(|other| reached[*other].contains(from)).cloned().collect::<Vec<_>>()
        };
        let circles: BTreeSet<Vec<Segments>> =
            needs.keys().map(|from| circle(from)).filter(|all| !all.is_empty()).collect();
        circles.into_iter().map(|circle| self.described(&circle, &needs)).collect()
    }

    fn described(&self, circle: &[Segments], needs: &BTreeMap<&Segments, BTreeSet<Segments>>) -> String {
        let inside = |from: &Segments| {
            let to: Vec<String> = needs[from].iter().filter(|to| circle.contains(to)).map(|to| to.join("/")).collect();
            format!("    {} needs {}", from.join("/"), to.join(", "))
        };
        format!("a circle:\n{}", circle.iter().map(inside).collect::<Vec<_>>().join("\n"))
    }
}

/// The circles of files inside the rooms of a crate.
pub(super) fn circles(sources: &[Source]) -> Vec<String> {
    Files::of(sources).circles()
}

#[test]
fn no_files_of_a_room_need_each_other() {
    none(&circles(&production()));
}

#[test]
fn circles_are_found() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let with = |shared: &str| {
        let sources = [
            file("src/room/mod.rs", "mod above; mod below; pub use above::Above; use below::Below;"),
            file("src/room/above.rs", "use crate::other::X; use super::below::{self, Below}; pub struct Above;"),
            file("src/room/below.rs", shared),
            file("src/other.rs", "use crate::room::Above; pub struct X;"),
        ];
        circles(&sources)
    };
    assert_eq!(with("#[cfg(test)] mod tests { use super::super::above::Above; }"), Vec::<String>::new());
    assert_eq!(with("use super::Shared;"), Vec::<String>::new());
    for circle in ["use super::above::Above;", "fn f(a: &super::Above) {}", "fn f() { crate::room::above::go() }"] {
        assert_eq!(with(circle).len(), 1, "{circle}");
        assert!(with(circle)[0].contains("room/below needs room/above"), "{circle}");
    }
}

//! No two modules import each other, directly or around a corner: neither rooms nor what is inside one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::spread;

/// A module's path from the crate's root.
type Module = Vec<String>;

/// Modules and their code, without comments and unit tests.
fn modules() -> BTreeMap<Module, String> {
    let root = super::root().join("src");
    let mut all = BTreeMap::new();
    for file in super::files(&root, ".rs") {
        let path = file.strip_prefix(&root).unwrap();
        let module = module_of(path);
        if !matches!(module[..], [ref only] if only == "lib" || only == "main") {
            all.insert(module, code(&std::fs::read_to_string(&file).unwrap()));
        }
    }
    all
}

fn module_of(path: &Path) -> Module {
    let mut parts: Module =
        path.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path that a module's code names, in a `use` or where it stands.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        let begins = statement.match_indices("use ").find(|(at, _)| {
            statement[..*at].chars().next_back().is_none_or(|before| before.is_whitespace() || before == ')')
        });
        match begins {
            Some((at, _)) => spread(statement[at + 4..].trim_end_matches(';'), &[], &mut found),
            None => rest.push_str(statement),
        }
    }
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    for word in rest.split(|letter| !is_part(letter)) {
        let begins = ["crate::", "super::", "self::"].iter().filter_map(|root| word.find(root)).min();
        if let Some(at) = begins {
            spread(&word[at..], &[], &mut found);
        }
    }
    found
}

/// The module that a path named in `here` leads to; `None`: to another crate.
fn resolve(path: &[String], here: &Module, all: &BTreeMap<Module, String>) -> Option<Module> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let mut to: Module = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "super" => [&here[..here.len().checked_sub(supers)?], &path[supers..]].concat(),
        "self" => [&here[..], &path[1..]].concat(),
        child => {
            let child = [&here[..], &[child.to_owned()]].concat();
            all.contains_key(&child).then(|| [&here[..], path].concat())?
        }
    };
    while !all.contains_key(&to) {
        to.pop()?;
    }
    Some(to)
}

/// Who imports whom, among neighbours: where two paths part.
fn neighbours(all: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (here, code) in all {
        for to in paths(code).iter().filter_map(|path| resolve(path, here, all)) {
            let same = here.iter().zip(&to).take_while(|(one, two)| one == two).count();
            if same < here.len() && same < to.len() {
                edges.entry(here[..=same].to_vec()).or_default().insert(to[..=same].to_vec());
            }
        }
    }
    edges
}

/// Those that can be reached from a module.
fn reached(from: &Module, edges: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = next.pop() {
        for to in edges.get(&module).into_iter().flatten() {
            if reached.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    reached
}

fn circles(all: &BTreeMap<Module, String>) -> Vec<String> {
    let edges = neighbours(all);
    let mut wrong = Vec::new();
    for (module, imported) in &edges {
        for to in imported.iter().filter(|to| *to == module || reached(to, &edges).contains(module)) {
            wrong.push(format!("{} imports {}, which comes back to it", module.join("::"), to.join("::")));
        }
    }
    wrong
}

#[test]
fn no_module_comes_back_to_itself() {
    let wrong = circles(&modules());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn circles_are_found() {
    let written = |files: &[(&str, &str)]| -> BTreeMap<Module, String> {
        files.iter().map(|(path, text)| (module_of(Path::new(path)), code(text))).collect()
    };
    let around = written(&[
        ("a/mod.rs", "mod b; mod c; mod d; use b::X;"),
        ("a/b.rs", "use super::c::{self, Y as Z};"),
        ("a/c.rs", "fn f() { crate::a::d::g() }"),
        ("a/d.rs", "use std::fs; use crate::{z, a::{b::X, c}};"),
    ]);
    assert_eq!(circles(&around).len(), 4, "{:?}", circles(&around));
    let straight = written(&[
        ("a/mod.rs", "mod b; mod c; use b::X;"),
        ("a/b.rs", "use super::c::Y; // use super::d::Z;"),
        ("a/c.rs", "use super::Top;\n#[cfg(test)]\nmod tests { use super::super::b::X; }"),
        ("e/mod.rs", "use crate::a::b::X;"),
    ]);
    assert_eq!(circles(&straight), Vec::<String>::new());
}

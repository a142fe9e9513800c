#![allow(clippy::unwrap_used)]

use crate::get::command::GetOptions;
use crate::get::table::Printer;
use crate::resources::Resource;
use clap::Parser;
use serde_json::{Value, json};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: GetOptions,
}

fn printed(flags: &str, tables: &[Value]) -> String {
    let words = std::iter::once("get").chain(flags.split_whitespace());
    let options = Line::try_parse_from(words).unwrap().options;
    let resource = Resource { singular: "pod".to_owned(), namespaced: true, ..Resource::default() };
    let mut printer = Printer::new(&options, &resource, false);
    for table in tables {
        printer.add(table);
    }
    printer.finish()
}

fn table() -> Value {
    json!({
        "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Restarts"}, {"name": "Node", "priority": 1}],
        "rows": [
            {"cells": ["web-1", 12, "n1"], "object": {"metadata": {"namespace": "default", "labels": {"app": "web", "x": "y"}}}},
            {"cells": ["a", 0, null], "object": {"metadata": {"namespace": "kube-system"}}},
        ],
    })
}

#[test]
fn columns_follow_the_flags() {
    assert_eq!(printed("pods", &[table()]), "NAME    RESTARTS\nweb-1   12\na       0\n");
    assert_eq!(printed("pods -o wide --no-headers", &[table()]), "web-1   12   n1\na       0\n");
    let all = "NAMESPACE     NAME    RESTARTS   APP   LABELS\n\
               default       web-1   12         web   app=web,x=y\n\
               kube-system   a       0                <none>\n";
    assert_eq!(printed("pods -A --show-labels -L app", &[table()]), all);
    assert!(printed("pods --show-kind", &[table()]).contains("pod/web-1"));
}

#[test]
fn an_empty_table_prints_nothing() {
    let empty = json!({"columnDefinitions": [{"name": "Name"}], "rows": []});
    assert_eq!(printed("pods", &[empty]), "");
}

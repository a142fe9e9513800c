#![allow(clippy::unwrap_used)]

use super::*;

fn problems(text: &str) -> Vec<String> {
    parse("x.yaml", text).into_iter().filter_map(|document| document.err().map(|error| error.to_string())).collect()
}

#[test]
fn a_broken_document_is_named_and_the_others_stay() {
    let text = "# a comment\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: [\n---\n\
                apiVersion: v1\nkind: Service\nmetadata:\n  name: b\n";
    let documents = parse("x.yaml", text);
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0].as_ref().unwrap().name, "a");
    assert_eq!(documents[2].as_ref().unwrap().kind, "Service");
    let error = documents[1].as_ref().unwrap_err().to_string();
    assert!(error.starts_with("x.yaml, document 2 (line 6): line "), "{error}");
}

#[test]
fn a_tab_is_called_a_tab() {
    let all = problems("apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n");
    assert!(all[0].contains("line 4") && all[0].contains("tab"), "{all:?}");
}

#[test]
fn what_is_missing_or_of_a_wrong_type_is_named_by_its_path() {
    for (text, part) in [
        ("kind: Pod\nmetadata: {name: a}", "apiVersion: is missing"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind: is missing"),
        ("apiVersion: v1\nkind: Pod", "metadata.name: is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 7}", "metadata.name: is a number, a string is expected"),
        ("apiVersion: v1\nkind: Pod\nkind: Pod\nmetadata: {name: a}", "duplicate"),
        ("- a\n- b", "this is a list"),
    ] {
        let all = problems(text);
        assert!(all.len() == 1 && all[0].contains(part), "{text}: {all:?}");
    }
}

#[test]
fn empty_documents_do_not_count_and_lists_are_taken_apart() {
    assert!(parse("x", "").is_empty());
    assert!(parse("x", "---\n# only words\n---\n\n").is_empty());
    let list =
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {kind: Pod}\n";
    let documents = parse("x", list);
    assert_eq!(documents[0].as_ref().unwrap().name, "a");
    assert!(documents[1].as_ref().unwrap_err().to_string().contains("items[1]: apiVersion"));
    let generated = parse("x", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"generateName\": \"a-\"}}");
    assert_eq!(generated[0].as_ref().unwrap().name, "");
}

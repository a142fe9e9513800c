#![allow(clippy::unwrap_used)]

use super::super::{documents, swagger};
use super::*;
use serde_json::{Map, json};

fn read_varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().unwrap();
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Fields by their numbers: what their bytes are, or for numbers the number as bytes.
fn fields(mut rest: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = read_varint(&mut rest);
        let content = match tag & 7 {
            0 => read_varint(&mut rest).to_le_bytes().to_vec(),
            1 => rest.split_off(..8).unwrap().to_vec(),
            2 => {
                let length = read_varint(&mut rest);
                rest.split_off(..usize::try_from(length).unwrap()).unwrap().to_vec()
            }
            other => unreachable!("wire type {other}"),
        };
        found.push((u32::try_from(tag >> 3).unwrap(), content));
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn only(bytes: &[u8], number: u32) -> Vec<u8> {
    let mut all = fields(bytes);
    assert_eq!((all.len(), all[0].0), (1, number));
    all.remove(0).1
}

fn read(kind: &Message, bytes: &[u8]) -> Value {
    let mut out = Map::new();
    for (number, content) in fields(bytes) {
        if number == kind.extensions {
            let pair = fields(&content);
            out.insert(text(&pair[0].1), value(&Any, &pair[1].1));
            continue;
        }
        let (name, _, form) = kind.fields.iter().find(|(_, own, _)| *own == number).unwrap();
        match form {
            List(form) => {
                let list = out.entry(*name).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value(form, &content));
            }
            form => drop(out.insert((*name).to_owned(), value(form, &content))),
        }
    }
    out.into()
}

fn value(form: &Form, bytes: &[u8]) -> Value {
    match form {
        Text => text(bytes).into(),
        Flag => (bytes[0] == 1).into(),
        Whole => i64::from_le_bytes(bytes.try_into().unwrap()).into(),
        Number => f64::from_le_bytes(bytes.try_into().unwrap()).into(),
        Any => serde_json::from_slice(&only(bytes, 2)).unwrap(),
        List(form) => value(form, bytes),
        Within(own, form) => value(form, &only(bytes, *own)),
        Named(own, form) => {
            let entry = |(number, content): (u32, Vec<u8>)| {
                assert_eq!(number, *own);
                let pair = fields(&content);
                (text(&pair[0].1), value(form, &pair[1].1))
            };
            Value::Object(fields(bytes).into_iter().map(entry).collect())
        }
        Form::Message(kind) => read(kind, bytes),
        Parameter => {
            let item = only(bytes, 1);
            let (at, inner) = fields(&item).remove(0);
            if at == 1 {
                return read(&BODY, &inner);
            }
            let (at, inner) = fields(&inner).remove(0);
            read(if at == 3 { &QUERY } else { &PATH }, &inner)
        }
    }
}

/// Empty lists and maps are not told from none.
fn without_empty_lists(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
        map.values_mut().for_each(without_empty_lists);
    }
}

#[test]
fn the_whole_document_is_written_and_nothing_is_left_out() {
    let mut document = swagger(&documents("v1.36.0", true), "v1.36.0");
    let read = read(&DOCUMENT, &protobuf(&document));
    without_empty_lists(&mut document);
    for part in ["paths", "definitions"] {
        for (name, wanted) in document[part].as_object().unwrap() {
            assert_eq!(&read[part][name], wanted, "{part} {name}");
        }
    }
    assert_eq!(read, document);
}

#[test]
fn fields_have_gnostics_numbers() {
    let document = json!({ "swagger": "2.0", "definitions": { "a": { "type": "string", "x-y": [1] } } });
    let any = [&[0x12, 3][..], b"[1]"].concat();
    let extension = [&[0x0a, 3][..], b"x-y", &[0x12, 5], &any].concat();
    let schema = [&[0xb2, 1, 8, 0x0a, 6][..], b"string", &[0xfa, 1, 12], &extension].concat();
    let pair = [&[0x0a, 1][..], b"a", &[0x12, 26], &schema].concat();
    let definitions = [&[0x0a, 31][..], &pair].concat();
    assert_eq!(protobuf(&document), [&[0x4a, 33][..], &definitions, &[0x0a, 3], b"2.0"].concat());
}

//! The v2 document as protobuf (`openapi.v2.Document` of gnostic): what clients written in Go ask for.

use serde_json::Value;

/// How a member of the document's JSON is written.
enum Form {
    Text,
    Flag,
    /// `int64`.
    Whole,
    /// `double`.
    Number,
    /// gnostic's `Any`: JSON is YAML too.
    Any,
    /// A repeated field; one value counts as a list of one.
    List(&'static Form),
    /// A message with one field.
    Within(u32, &'static Form),
    /// A map: a message with one repeated field of pairs.
    Named(u32, &'static Form),
    Message(&'static Message),
    /// A parameter, whose type depends on what it is in.
    Parameter,
}

/// The numbers of a message's fields by their members' names.
struct Message {
    fields: &'static [(&'static str, u32, Form)],
    /// The field of members that begin with `x-`.
    extensions: u32,
}

use Form::{Any, Flag, List, Named, Number, Parameter, Text, Whole, Within};

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Text),
        ("info", 2, Form::Message(&INFO)),
        ("paths", 8, Named(2, &Form::Message(&PATH_ITEM))),
        ("definitions", 9, Named(1, &Form::Message(&SCHEMA))),
    ],
    extensions: 16,
};

static INFO: Message = Message { fields: &[("title", 1, Text), ("version", 2, Text)], extensions: 7 };

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 2, Form::Message(&OPERATION)),
        ("put", 3, Form::Message(&OPERATION)),
        ("post", 4, Form::Message(&OPERATION)),
        ("delete", 5, Form::Message(&OPERATION)),
        ("patch", 8, Form::Message(&OPERATION)),
        ("parameters", 9, List(&Parameter)),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, List(&Text)),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("produces", 6, List(&Text)),
        ("consumes", 7, List(&Text)),
        ("parameters", 8, List(&Parameter)),
        ("responses", 9, Named(1, &Within(1, &Form::Message(&RESPONSE)))),
    ],
    extensions: 13,
};

static RESPONSE: Message =
    Message { fields: &[("description", 1, Text), ("schema", 2, Within(1, &Form::Message(&SCHEMA)))], extensions: 5 };

static BODY: Message = Message {
    fields: &[
        ("description", 1, Text),
        ("name", 2, Text),
        ("in", 3, Text),
        ("required", 4, Flag),
        ("schema", 5, Form::Message(&SCHEMA)),
    ],
    extensions: 6,
};

static QUERY: Message = Message {
    fields: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 6, Text),
        ("uniqueItems", 20, Flag),
    ],
    extensions: 23,
};

static PATH: Message = Message {
    fields: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 5, Text),
        ("uniqueItems", 19, Flag),
    ],
    extensions: 22,
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Text),
        ("format", 2, Text),
        ("title", 3, Text),
        ("description", 4, Text),
        ("maximum", 7, Number),
        ("minimum", 9, Number),
        ("maxLength", 11, Whole),
        ("minLength", 12, Whole),
        ("pattern", 13, Text),
        ("maxItems", 14, Whole),
        ("minItems", 15, Whole),
        ("uniqueItems", 16, Flag),
        ("required", 19, List(&Text)),
        ("enum", 20, List(&Any)),
        ("additionalProperties", 21, Within(1, &Form::Message(&SCHEMA))),
        ("type", 22, Within(1, &List(&Text))),
        ("items", 23, Within(1, &Form::Message(&SCHEMA))),
        ("properties", 25, Named(1, &Form::Message(&SCHEMA))),
    ],
    extensions: 31,
};

/// Where a parameter's fields stand in `ParametersItem`, from without to within, and which they are.
fn parameter(value: &Value) -> Option<(&'static [u32], &'static Message)> {
    match value.get("in").and_then(Value::as_str)? {
        "body" => Some((&[1, 1], &BODY)),
        "query" => Some((&[1, 2, 3], &QUERY)),
        "path" => Some((&[1, 2, 4], &PATH)),
        _ => None,
    }
}

/// The document that [`super::swagger`] makes, as protobuf.
pub fn protobuf(document: &Value) -> Vec<u8> {
    message(&DOCUMENT, document)
}

fn message(message: &Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        if name.starts_with("x-") {
            bytes(&mut out, message.extensions, &pair(name, &Any, value));
        } else if let Some((_, number, form)) = message.fields.iter().find(|(own, ..)| own == name) {
            field(&mut out, *number, form, value);
        }
    }
    out
}

fn pair(name: &str, form: &Form, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 1, name.as_bytes());
    field(&mut out, 2, form, value);
    out
}

fn field(out: &mut Vec<u8>, number: u32, form: &Form, value: &Value) {
    let mut inner = Vec::new();
    match (form, value) {
        (Text, Value::String(text)) => return bytes(out, number, text.as_bytes()),
        (Flag, Value::Bool(flag)) => {
            varint(out, u64::from(number) << 3);
            return varint(out, u64::from(*flag));
        }
        (Whole, value) => {
            varint(out, u64::from(number) << 3);
            return varint(out, value.as_i64().unwrap_or_default().cast_unsigned());
        }
        (Number, value) => {
            varint(out, u64::from(number) << 3 | 1);
            return out.extend(value.as_f64().unwrap_or_default().to_le_bytes());
        }
        (List(form), Value::Array(items)) => return items.iter().for_each(|item| field(out, number, form, item)),
        (List(form), value) => return field(out, number, form, value),
        (Any, value) => bytes(&mut inner, 2, value.to_string().as_bytes()),
        (Within(own, form), value) => field(&mut inner, *own, form, value),
        (Named(own, form), value) => {
            for (name, value) in value.as_object().into_iter().flatten() {
                bytes(&mut inner, *own, &pair(name, form, value));
            }
        }
        (Form::Message(kind), value) => inner = message(kind, value),
        (Parameter, value) => {
            let Some((path, kind)) = parameter(value) else {
                return;
            };
            inner = path.iter().rev().fold(message(kind, value), |content, own| {
                let mut outer = Vec::new();
                bytes(&mut outer, *own, &content);
                outer
            });
        }
        (Text | Flag, _) => return,
    }
    bytes(out, number, &inner);
}

fn bytes(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
#[path = "gnostic_tests.rs"]
mod tests;

//! From JSON schemas (schemars, official definition names) to [`Shape`]s.

use super::{Field, Shape, Struct, atomic_type, keeps_zero, rule};
use k8s_openapi::schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};
use std::collections::HashMap;

const REF: &str = "#/components/schemas/";

/// Collects the types that the definitions start from.
pub struct Roots {
    generator: SchemaGenerator,
}

impl Default for Roots {
    fn default() -> Self {
        let settings = SchemaSettings::openapi3().with(|settings| settings.transforms.clear());
        Self { generator: SchemaGenerator::new(settings) }
    }
}

impl Roots {
    /// Adds a type and all that it refers to.
    pub fn add<T: JsonSchema>(&mut self) {
        self.generator.subschema_for::<T>();
    }

    /// The schemas as they are, by definition name.
    pub fn schemas(mut self) -> Map<String, Value> {
        self.generator.take_definitions(false)
    }
}

/// All struct types reachable from the served kinds.
#[derive(Debug, Default)]
pub struct Definitions {
    structs: Vec<Struct>,
    shapes: HashMap<String, Shape>,
}

impl Definitions {
    /// Compiles schemas.
    pub fn new(schemas: &Map<String, Value>) -> Self {
        let mut this = Self::default();
        for (name, schema) in schemas {
            let shape = match special(name) {
                Some(shape) => shape,
                None if schema.get("properties").is_some() => {
                    let index = this.structs.len();
                    this.structs.push(Struct { name: name.clone(), fields: HashMap::new(), atomic: atomic_type(name) });
                    Shape::Struct(index)
                }
                None => Shape::Any,
            };
            this.shapes.insert(name.clone(), shape);
        }
        for (name, schema) in schemas {
            let Some(Shape::Struct(index)) = this.shapes.get(name).cloned() else {
                continue;
            };
            let fields = this.fields(name, schema);
            if let Some(found) = this.structs.get_mut(index) {
                found.fields = fields;
            }
        }
        this
    }

    fn fields(&self, owner: &str, schema: &Value) -> HashMap<String, Field> {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(name, property)| {
                let field = Field {
                    shape: self.shape(property),
                    required: required.contains(&name.as_str()),
                    keeps_zero: keeps_zero(owner, name),
                    rule: rule(owner, name),
                };
                (name.clone(), field)
            })
            .collect()
    }

    fn shape(&self, schema: &Value) -> Shape {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.strip_prefix(REF).unwrap_or(reference);
            return self.shapes.get(name).cloned().unwrap_or(Shape::Any);
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or("");
        match schema.get("type").and_then(Value::as_str).unwrap_or("") {
            "string" if format == "byte" => Shape::Bytes,
            "string" => Shape::Text,
            "boolean" => Shape::Bool,
            "integer" if format == "int64" => Shape::Int64,
            "integer" => Shape::Int32,
            "number" => Shape::Number,
            "array" => Shape::List(Box::new(schema.get("items").map_or(Shape::Any, |items| self.shape(items)))),
            "object" => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Shape::Map(Box::new(self.shape(values))),
                _ => Shape::Any,
            },
            _ => Shape::Any,
        }
    }

    /// The struct at an index.
    pub fn get(&self, index: usize) -> Option<&Struct> {
        self.structs.get(index)
    }

    /// The shape of a definition.
    pub fn by_name(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// All structs.
    pub fn structs(&self) -> &[Struct] {
        &self.structs
    }
}

fn special(name: &str) -> Option<Shape> {
    Some(match name {
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => Shape::Quantity,
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => Shape::IntOrString,
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => Shape::Time,
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => Shape::MicroTime,
        _ => return None,
    })
}

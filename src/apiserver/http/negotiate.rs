//! The form of the answer, by the header `Accept`.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};
use raftsman_api::status::Status;

/// What of an object is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All.
    #[default]
    Object,
    /// `meta.k8s.io/v1 Table`.
    Table,
    /// `meta.k8s.io/v1 PartialObjectMetadata` and its list.
    Metadata,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// YAML rather than JSON.
    pub yaml: bool,
    /// What of the object.
    pub shape: Shape,
    /// gzip may be used.
    pub gzip: bool,
}

/// One entry of `Accept`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Media {
    /// `application/json`.
    pub kind: String,
    params: Vec<(String, String)>,
    quality: f32,
}

impl Media {
    /// A parameter, or empty.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

/// The entries of `Accept`, the best first.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<Media> {
    let given: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut all: Vec<Media> = given
        .iter()
        .flat_map(|value| value.split(','))
        .filter_map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let kind = parts.next().filter(|kind| !kind.is_empty())?.to_ascii_lowercase();
            let params: Vec<(String, String)> = parts
                .filter_map(|part| part.split_once('='))
                .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
                .collect();
            let quality = params.iter().find(|(name, _)| name == "q").and_then(|(_, q)| q.parse().ok()).unwrap_or(1.0);
            Some(Media { kind, params, quality })
        })
        .filter(|media| media.quality > 0.0)
        .collect();
    all.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    if all.is_empty() && given.is_empty() {
        all.push(Media { kind: "*/*".to_owned(), params: Vec::new(), quality: 1.0 });
    }
    all
}

/// The form that an object is given in.
///
/// # Errors
/// 406 when none of what the client takes is offered.
pub(crate) fn format(headers: &HeaderMap) -> Result<Format, Status> {
    let gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().split(';').next() == Some("gzip"));
    for media in accepted(headers) {
        let yaml = match media.kind.as_str() {
            "*/*" | "application/*" | "application/json" => false,
            "application/yaml" => true,
            _ => continue,
        };
        let known = media.param("g") == "meta.k8s.io" && media.param("v") == "v1";
        let shape = match media.param("as") {
            "" => Shape::Object,
            "Table" if known => Shape::Table,
            "PartialObjectMetadata" | "PartialObjectMetadataList" if known => Shape::Metadata,
            _ => continue,
        };
        return Ok(Format { yaml, shape, gzip });
    }
    Err(Status::new(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    fn of(accept: &str) -> Result<Format, Status> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        format(&headers)
    }

    #[test]
    fn the_first_form_that_is_offered_wins() {
        let table = of("application/json;as=Table;v=v1;g=meta.k8s.io,application/json").unwrap();
        assert_eq!(table.shape, Shape::Table);
        // An unknown version of the table falls back to the object.
        assert_eq!(of("application/json;as=Table;v=v9;g=meta.k8s.io,application/json").unwrap().shape, Shape::Object);
        assert!(of("application/yaml").unwrap().yaml);
        assert!(!of("application/vnd.kubernetes.protobuf,application/json").unwrap().yaml);
        assert!(of("application/json;q=0.1,application/yaml").unwrap().yaml);
        assert_eq!(of("application/vnd.kubernetes.protobuf").unwrap_err().code, 406);
        assert_eq!(format(&HeaderMap::new()).unwrap(), Format::default());
    }
}

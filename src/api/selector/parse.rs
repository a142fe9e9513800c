//! The text of label selectors.

use super::{Operator, Requirement};
use crate::format;

/// The text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

impl SelectorError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(super) fn operator(found: &str) -> Self {
        Self(format!("\"{found}\" is not a valid label selector operator"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

/// Longer signs first.
const SIGNS: &[&str] = &["!=", "==", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            out.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(rest.len());
        out.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    out
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.peek() == &Token::Sign("!");
        if absent {
            self.at += 1;
        }
        let key = match self.next() {
            Token::Word(word) => word,
            other => return Err(unexpected(&other, "identifier")),
        };
        check_key(&key)?;
        if absent {
            return Ok(Requirement::new(key, Operator::DoesNotExist, Vec::new()));
        }
        let operator = match self.peek() {
            Token::End | Token::Sign(",") => {
                return Ok(Requirement::new(key, Operator::Exists, Vec::new()));
            }
            _ => self.next(),
        };
        let (operator, values) = match &operator {
            Token::Sign("=" | "==") => (Operator::In, vec![self.value()?]),
            Token::Sign("!=") => (Operator::NotIn, vec![self.value()?]),
            Token::Sign(">") => (Operator::GreaterThan, vec![self.value()?]),
            Token::Sign("<") => (Operator::LessThan, vec![self.value()?]),
            Token::Word(word) if word == "in" => (Operator::In, self.values()?),
            Token::Word(word) if word == "notin" => (Operator::NotIn, self.values()?),
            other => return Err(unexpected(other, "in, notin, =, ==, !=, >, <")),
        };
        if matches!(operator, Operator::GreaterThan | Operator::LessThan)
            && values.iter().any(|value| value.parse::<i64>().is_err())
        {
            let listed = values.join(",");
            let message = format!(
                "values[0]: Invalid value: \"{listed}\": for 'Gt', 'Lt' operators, the value must be an integer"
            );
            return Err(SelectorError(message));
        }
        values.iter().try_for_each(|value| check_value(&key, value))?;
        Ok(Requirement::new(key, operator, values))
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(_) => match self.next() {
                Token::Word(word) => Ok(word),
                other => Err(unexpected(&other, "identifier")),
            },
            other => Err(unexpected(other, "identifier")),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(unexpected(&other, "'('")),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(word) => {
                    values.push(word);
                    match self.next() {
                        Token::Sign(",") if self.peek() == &Token::Sign(")") => values.push(String::new()),
                        Token::Sign(",") => {}
                        Token::Sign(")") => return Ok(values),
                        other => return Err(unexpected(&other, "',' or ')'")),
                    }
                }
                Token::Sign(",") => values.push(String::new()),
                Token::Sign(")") => {
                    if values.is_empty() {
                        values.push(String::new());
                    }
                    return Ok(values);
                }
                other => return Err(unexpected(&other, "',', ')' or identifier")),
            }
        }
    }
}

fn unexpected(found: &Token, expected: &str) -> SelectorError {
    SelectorError(format!("unable to parse requirement: found '{}', expected: {expected}", found.shown()))
}

fn check_key(key: &str) -> Result<(), SelectorError> {
    let wrong = format::qualified_name(key);
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong = wrong.join("; ");
    Err(SelectorError(format!("unable to parse requirement: <nil>: Invalid value: \"{key}\": {wrong}")))
}

fn check_value(key: &str, value: &str) -> Result<(), SelectorError> {
    let wrong = format::label_value(value);
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong = wrong.join("; ");
    Err(SelectorError(format!("unable to parse requirement: values[0][{key}]: Invalid value: \"{value}\": {wrong}")))
}

pub(super) fn labels(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut out = Vec::new();
    if parser.peek() == &Token::End {
        return Ok(out);
    }
    loop {
        out.push(parser.requirement()?);
        match parser.next() {
            Token::End => break,
            Token::Sign(",") => {
                if !matches!(parser.peek(), Token::Word(_) | Token::Sign("!")) {
                    return Err(unexpected(parser.peek(), "identifier after ','"));
                }
            }
            other => return Err(unexpected(&other, "',' or 'end of string'")),
        }
    }
    out.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(out)
}

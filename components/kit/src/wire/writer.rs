//! JSON as the wire has it, written part by part.

use super::{EXACT_INTEGER, WireError};
use serde_json::value::RawValue;

/// JSON under way.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    fault: Option<WireError>,
}

/// Writes itself as JSON.
pub trait Write {
    /// Writes itself.
    fn write(&self, writer: &mut Writer);

    /// Whether a record leaves it out.
    fn is_absent(&self) -> bool {
        false
    }
}

impl Writer {
    /// The JSON of a value.
    ///
    /// # Errors
    /// Where a number is not finite, or a text that should be JSON is none.
    pub fn json<T: Write>(value: &T) -> Result<String, WireError> {
        let mut writer = Self::default();
        value.write(&mut writer);
        writer.fault.map_or(Ok(writer.text), Err)
    }

    /// Begins a record.
    pub fn open(&mut self) {
        self.text.push('{');
    }

    /// A field of the record: its key and colon as JSON, and its value.
    pub fn field<T: Write>(&mut self, key: &str, value: &T) {
        if !value.is_absent() {
            self.key(key);
            value.write(self);
        }
    }

    /// A field that holds an object: names, and values as their JSON text.
    pub fn object(&mut self, key: &str, pairs: &[(String, String)]) {
        self.key(key);
        self.open();
        for (name, value) in pairs {
            self.separate();
            self.string(name);
            self.text.push(':');
            self.raw(value);
        }
        self.close();
    }

    /// Ends the record.
    pub fn close(&mut self) {
        self.text.push('}');
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        // A string always has a JSON form.
        self.text.push_str(&serde_json::to_string(text).unwrap_or_default());
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn separate(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }

    fn raw(&mut self, json: &str) {
        match serde_json::from_str::<&RawValue>(json) {
            Ok(value) => self.text.push_str(value.get()),
            Err(error) => self.fault = Some(WireError(format!("a value is no JSON: {error}"))),
        }
    }
}

impl Write for String {
    fn write(&self, writer: &mut Writer) {
        writer.string(self);
    }
}

impl Write for bool {
    fn write(&self, writer: &mut Writer) {
        writer.text.push_str(if *self { "true" } else { "false" });
    }
}

impl Write for u32 {
    fn write(&self, writer: &mut Writer) {
        writer.text.push_str(&self.to_string());
    }
}

impl Write for u64 {
    fn write(&self, writer: &mut Writer) {
        writer.text.push_str(&self.to_string());
    }
}

impl Write for i64 {
    fn write(&self, writer: &mut Writer) {
        writer.text.push_str(&self.to_string());
    }
}

impl Write for f64 {
    /// As JavaScript does: without a fraction where there is none.
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
    fn write(&self, writer: &mut Writer) {
        if self.fract() == 0.0 && self.abs() <= EXACT_INTEGER {
            (*self as i64).write(writer);
        } else if self.is_finite() {
            writer.text.push_str(&serde_json::to_string(self).unwrap_or_default());
        } else {
            writer.fault = Some(WireError(format!("{self} is not a number that JSON can say")));
        }
    }
}

impl<T: Write> Write for Option<T> {
    fn write(&self, writer: &mut Writer) {
        match self {
            Some(value) => value.write(writer),
            None => writer.text.push_str("null"),
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Write> Write for Vec<T> {
    fn write(&self, writer: &mut Writer) {
        writer.text.push('[');
        for value in self {
            writer.separate();
            value.write(writer);
        }
        writer.text.push(']');
    }
}

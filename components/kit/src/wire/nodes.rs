//! Values as they were read, laid out in the order of their shape, and how types are made of them and written again.
//!
//! The build script writes [`Read`] and [`Write`] for every record and enum of `wit/`: a call a field. serde's derives
//! do the same with a visitor a type, which is some hundred kilobytes in every component.

use super::WireError;

/// One step of a value. A record is its fields in their order; its keys are the shape's.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A string, or a JSON value as its text.
    Text(String),
    /// A number.
    Number(f64),
    /// An integer; a negative one in two's complement.
    Integer(u64),
    /// `true` or `false`.
    Bool(bool),
    /// The case of an enum, by its place.
    Case(usize),
    /// An array, or an object with any keys: so many follow.
    Many(usize),
    /// An option: one follows.
    Present,
    /// An option: none.
    Absent,
}

/// A value that was read and checked.
#[derive(Debug)]
pub struct Nodes {
    nodes: std::vec::IntoIter<Node>,
    /// What came was not what its type is made of: table and type disagree, a defect of the build.
    off: bool,
}

impl Nodes {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes: nodes.into_iter(), off: false }
    }

    /// The value, as what it is.
    ///
    /// # Errors
    /// Where it is something else: a defect.
    pub fn finish<T: Read>(mut self) -> Result<T, WireError> {
        let value = T::read(&mut self);
        if self.off || self.nodes.next().is_some() {
            return Err(WireError("the event's type and its shape disagree".to_owned()));
        }
        Ok(value)
    }

    /// The next part.
    pub fn read<T: Read>(&mut self) -> T {
        T::read(self)
    }

    /// The place of the case that comes next.
    pub fn case(&mut self) -> usize {
        match self.nodes.next() {
            Some(Node::Case(place)) => place,
            _ => self.off(usize::MAX),
        }
    }

    fn off<T>(&mut self, instead: T) -> T {
        self.off = true;
        instead
    }
}

/// Made of what was read.
pub trait Read {
    /// Takes its part.
    fn read(nodes: &mut Nodes) -> Self;
}

impl Read for String {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Text(text)) => text,
            _ => nodes.off(Self::new()),
        }
    }
}

impl Read for bool {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Bool(value)) => value,
            _ => nodes.off(false),
        }
    }
}

impl Read for f64 {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Number(value)) => value,
            _ => nodes.off(0.0),
        }
    }
}

impl Read for u64 {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Integer(value)) => value,
            _ => nodes.off(0),
        }
    }
}

impl Read for u32 {
    fn read(nodes: &mut Nodes) -> Self {
        // The shape's range is the type's.
        Self::try_from(u64::read(nodes)).unwrap_or_else(|_| nodes.off(0))
    }
}

impl Read for i64 {
    fn read(nodes: &mut Nodes) -> Self {
        u64::read(nodes).cast_signed()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Present) => Some(T::read(nodes)),
            Some(Node::Absent) => None,
            _ => nodes.off(None),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(nodes: &mut Nodes) -> Self {
        match nodes.nodes.next() {
            Some(Node::Many(count)) => (0..count).map(|_| T::read(nodes)).collect(),
            _ => nodes.off(Self::new()),
        }
    }
}

impl Read for (String, String) {
    fn read(nodes: &mut Nodes) -> Self {
        (String::read(nodes), String::read(nodes))
    }
}

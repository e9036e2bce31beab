//! The cases of an event variant: one a subject, each with its `eventType` and the plan of its payload.

use crate::codec::{Compiler, Plan, definition, pascal_case, subject_of_case};
use crate::subject::Subject;
use anyhow::{Context, Result, bail};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use wit_parser::{Resolve, TypeDefKind, Variant};

/// One kind of event.
#[derive(Debug)]
pub struct Case {
    /// Its name in the WIT: `inventory-stock-check`.
    pub name: String,
    /// Its subject: `inventory.stock.check`.
    pub subject: Subject,
    /// `eventType` on the wire: `StockCheckRequestedEvent`.
    pub event_type: String,
    /// The payload; `None` for a case without, whose `eventData` is `{}`.
    pub payload: Option<Arc<Plan>>,
}

/// All cases of one variant.
#[derive(Debug)]
pub struct Cases {
    cases: Vec<Case>,
    by_subject: FxHashMap<String, usize>,
    by_name: FxHashMap<String, usize>,
}

impl Cases {
    /// Compiles a variant. `subjects` names the cases whose subject is not their name with `.` for `-`.
    ///
    /// # Errors
    /// Where a payload has no JSON form, a subject is none, or two cases have the same.
    pub fn compile(
        resolve: &Resolve,
        compiler: &mut Compiler<'_>,
        variant: &Variant,
        subjects: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut cases = Self { cases: Vec::new(), by_subject: FxHashMap::default(), by_name: FxHashMap::default() };
        for case in &variant.cases {
            let payload = case.ty.as_ref().map(|ty| compiler.plan(ty)).transpose();
            let payload = payload.with_context(|| format!("case `{}`", case.name))?;
            let record = case.ty.as_ref().and_then(|ty| definition(resolve, ty));
            let record = record.filter(|def| matches!(def.kind, TypeDefKind::Record(_)));
            let record = record.and_then(|def| def.name.as_deref()).unwrap_or(&case.name);
            let subject = subjects.get(&case.name).cloned().unwrap_or_else(|| subject_of_case(&case.name));
            let subject = Subject::new(&subject).with_context(|| format!("subject of case `{}`", case.name))?;
            let event_type = format!("{}Event", pascal_case(record));
            cases.add(Case { name: case.name.clone(), subject, event_type, payload })?;
        }
        Ok(cases)
    }

    fn add(&mut self, case: Case) -> Result<()> {
        let index = self.cases.len();
        if let Some(other) = self.by_subject.insert(case.subject.as_str().to_owned(), index) {
            let other = self.cases.get(other).map_or("", |case| &case.name);
            bail!("the cases `{other}` and `{}` have the same subject `{}`", case.name, case.subject);
        }
        self.by_name.insert(case.name.clone(), index);
        self.cases.push(case);
        Ok(())
    }

    /// The case of a subject.
    #[must_use]
    pub fn of_subject(&self, subject: &str) -> Option<&Case> {
        self.cases.get(*self.by_subject.get(subject)?)
    }

    /// The case of a WIT name, with its position.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<(usize, &Case)> {
        let index = *self.by_name.get(name)?;
        self.cases.get(index).map(|case| (index, case))
    }

    /// All of them, in the order of the WIT.
    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter()
    }
}

//! What goes wrong on the simulated bus, and how often: decided by a seed, so that a run can be run again.

/// How often, in thousandths of the calls, something goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// One seed is one run.
    pub seed: u64,
    /// The call does nothing and says so.
    pub refused: u32,
    /// The call is carried out, but the caller hears nothing.
    pub lost_answers: u32,
    /// Effects are carried out, but the acknowledgement is forgotten: after a restart the event comes again.
    pub lost_acks: u32,
    /// A published event is stored twice, with a sequence each.
    pub copies: u32,
    /// What happened so far stays on disk; what a crash finds unflushed is lost.
    pub unflushed: u32,
    /// A fetch brings fewer events than there are, and later.
    pub delays: u32,
}

/// How often what went wrong: a run that was to meet a fault can tell that it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// Calls that did nothing and said so.
    pub refused: u64,
    /// Calls that were carried out and not answered.
    pub lost_answers: u64,
    /// Acknowledgements that were forgotten.
    pub lost_acks: u64,
    /// Events that were stored twice.
    pub copies: u64,
    /// Fetches that brought fewer events than there may have been.
    pub delays: u64,
}

/// The dice.
#[derive(Debug)]
pub(crate) struct Chance {
    faults: Faults,
    state: u64,
    injected: Injected,
}

impl Chance {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, state: faults.seed ^ 0x9e37_79b9_7f4a_7c15, injected: Injected::default() }
    }

    pub(crate) fn set(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// How often what went wrong so far.
    pub(crate) fn injected(&self) -> Injected {
        self.injected
    }

    pub(crate) fn refuses(&mut self) -> bool {
        let happens = self.happens(self.faults.refused);
        self.injected.refused += u64::from(happens);
        happens
    }

    pub(crate) fn loses_answer(&mut self) -> bool {
        let happens = self.happens(self.faults.lost_answers);
        self.injected.lost_answers += u64::from(happens);
        happens
    }

    pub(crate) fn forgets_ack(&mut self) -> bool {
        let happens = self.happens(self.faults.lost_acks);
        self.injected.lost_acks += u64::from(happens);
        happens
    }

    pub(crate) fn copies(&mut self) -> bool {
        let happens = self.happens(self.faults.copies);
        self.injected.copies += u64::from(happens);
        happens
    }

    pub(crate) fn flushes(&mut self) -> bool {
        !self.happens(self.faults.unflushed)
    }

    /// Whether a crash may find anything unflushed.
    pub(crate) fn may_lose(&self) -> bool {
        self.faults.unflushed > 0
    }

    pub(crate) fn delays(&mut self) -> bool {
        let happens = self.happens(self.faults.delays);
        self.injected.delays += u64::from(happens);
        happens
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.roll() % bound).unwrap_or(0)
    }

    fn happens(&mut self, thousandths: u32) -> bool {
        // No roll where nothing can happen: a fault that is off leaves the other dice as they are.
        thousandths > 0 && self.roll() % 1_000 < u64::from(thousandths)
    }

    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

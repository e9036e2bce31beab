//! How many of this process's consumers have not drained yet what they found when they were opened.

use tokio::sync::watch;

/// One consumer's part in that.
pub struct Behind {
    count: watch::Sender<usize>,
    counted: bool,
}

impl Behind {
    /// Counts one more.
    pub fn new(count: watch::Sender<usize>) -> Self {
        count.send_modify(|behind| *behind += 1);
        Self { count, counted: true }
    }

    /// It has drained: it does not count any more.
    pub fn caught_up(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.count.send_modify(|behind| *behind = behind.saturating_sub(1));
        }
    }

    /// It is another process's now. One that merely ends, as at a crash, goes on to count: nobody drained it.
    pub fn left(&mut self) {
        self.caught_up();
    }
}

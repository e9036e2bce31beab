//! Polls until something holds, or a deadline has passed.

const DEADLINE = 30_000;
const PAUSE = 20;

/// What `condition` answers once it answers anything; fails by the deadline, and says what was waited for.
export async function eventually(what, condition, deadline = DEADLINE) {
  const until = Date.now() + deadline;
  let last;
  for (;;) {
    try {
      const found = await condition();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) throw new Error(`waited ${deadline} ms in vain: ${what}`, { cause: last });
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

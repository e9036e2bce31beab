//! What a host says of itself in the environment, where hosts differ. One that says nothing is taken for Spin.

thread_local! {
    static CREATES_ATOMICALLY: bool = says("A4CO_CREATES", "atomically");
    static KEEPS_TIME: bool = says("A4CO_CALLS", "timed");
}

/// Where our own host takes events. On any other there is no component of that name: Spin ends a guest that asks it.
const IN_PROCESS: &str = "http://events.spin.internal";

/// Whether a swap of an absent key fails once somebody else has created it: on our own host, with Cosmos DB or DynamoDB. Else
/// the claim protocol keeps creations safe.
pub(crate) fn creates_atomically() -> bool {
    CREATES_ATOMICALLY.with(|says| *says)
}

/// Whether every call ends when its time is over. Spin looks at no clock where one component calls another.
pub(crate) fn keeps_time() -> bool {
    KEEPS_TIME.with(|says| *says)
}

/// Whether somebody may be at `url` who takes events.
pub(crate) fn may_publish_at(url: &str) -> bool {
    !url.starts_with(IN_PROCESS) || says("A4CO_EVENTS", IN_PROCESS)
}

fn says(name: &str, what: &str) -> bool {
    std::env::var(name).is_ok_and(|said| said == what)
}

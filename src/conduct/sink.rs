//! Where events go.

use tokio::sync::mpsc;

use crate::journal::{Event, Progress};

/// Where the conductor sends events. Sending never waits: whoever receives them has no way to hold up
/// a run.
#[derive(Debug, Clone)]
pub struct EventSink(mpsc::UnboundedSender<Event>);

impl EventSink {
    /// A sink and the end that its events come out of.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends `event` on its way.
    pub fn send(&self, event: Event) {
        // Without a receiver nobody looks; the run goes on.
        let _ = self.0.send(event);
    }

    /// A way to this sink that does not keep it open: whoever hears events waits until the last sink is gone, and
    /// tasks that are left to themselves must not hold that up.
    pub(super) fn quietly(&self) -> QuietSink {
        QuietSink(self.0.downgrade())
    }
}

/// A way to an [`EventSink`], for as long as that is there.
#[derive(Debug, Clone)]
pub(super) struct QuietSink(mpsc::WeakUnboundedSender<Event>);

impl QuietSink {
    /// Tells the operator something.
    pub(super) fn notice(&self, text: String) {
        if let Some(sender) = self.0.upgrade() {
            // Without a receiver nobody looks; the run goes on.
            let _ = sender.send(Event::Progress(Progress::Notice { text }));
        }
    }
}

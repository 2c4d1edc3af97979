//! Restore points as a run needs them: taken before a hop, and gone back to.

use tokio::sync::mpsc;

use crate::journal::{Evidence, Failure, SavedPoint};
use crate::model::StepId;
use crate::plan::SavedDatabase;

/// Takes restore points of databases, and brings databases back to them. Whoever does not wait for the end of
/// what it does ends it.
#[async_trait::async_trait]
pub trait RestorePoints: Send + Sync {
    /// Takes and proves the restore point that `step` asks for, in its attempt of this number. What an earlier
    /// attempt left of it is thrown away. `tell` hears now and then how far it is.
    async fn save(
        &self,
        step: &StepId,
        attempt: u32,
        saved: &SavedDatabase,
        tell: &mpsc::Sender<String>,
    ) -> Result<SavedPoint, Failure>;

    /// Brings a database back to a restore point and proves it. `tell` hears now and then how far it is.
    async fn bring_back(&self, point: &SavedPoint, tell: &mpsc::Sender<String>) -> Result<Evidence, Failure>;
}

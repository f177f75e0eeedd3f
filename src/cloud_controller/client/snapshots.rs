//! Snapshots of what runs: requested, listed, read.

use http::Method;
use http::header::LOCATION;

use super::{Client, Requested, endless, invalid, parse};
use crate::cloud_controller::bounds::Bounds;
use crate::cloud_controller::error::{ApiError, ErrorKind};
use crate::cloud_controller::wire::lists::{Job, Page};
use crate::cloud_controller::wire::snapshot::{Chunk, Snapshot};
use crate::domain::{Endpoint, Guid, Stream};

fn snapshots_path(stream: Stream) -> String {
    match stream {
        Stream::App => Endpoint::AppUsageSnapshots.path(),
        Stream::Service => Endpoint::ServiceUsageSnapshots.path(),
    }
}

impl Client {
    /// Asks for a snapshot to be made.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NoRoute`] where Cloud Controller has no snapshots.
    pub async fn request_snapshot(&self, stream: Stream) -> Result<Requested, ApiError> {
        // Not repeated: a second request for what the first began would be refused.
        let answer = match self.once(Method::POST, &snapshots_path(stream)).await {
            Ok(answer) => answer,
            Err(error) if error.kind == ErrorKind::Conflict => return Ok(Requested::InProgress),
            Err(error) if error.kind == ErrorKind::Forbidden => return Ok(Requested::NotAllowed),
            Err(error) => return Err(error),
        };
        let (answer, request) = answer;
        let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let job = location.and_then(|location| location.rsplit('/').next()).map(Guid::new);
        let job = job.ok_or_else(|| invalid(&answer, &request, "it has no Location"))?;
        let guid = self.job(&job).await?.and_then(|job| job.snapshot_guid());
        guid.map(Requested::Snapshot).ok_or_else(|| invalid(&answer, &request, "its job doesn't name a snapshot"))
    }

    /// A job; `None` if there is none of that guid.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn job(&self, guid: &Guid) -> Result<Option<Job>, ApiError> {
        self.find(&format!("{}/{guid}", Endpoint::Jobs.path())).await
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NoRoute`] where Cloud Controller has no snapshots.
    pub async fn snapshots(&self, stream: Stream) -> Result<Vec<Snapshot>, ApiError> {
        let mut snapshots = Vec::new();
        let mut bounds = Bounds::new(self.inner.clock.now());
        for number in 1_u32.. {
            let query = [("per_page", "50"), ("page", &number.to_string())];
            let answer = self.get(&snapshots_path(stream), &query).await?;
            let page: Page<Snapshot> = parse(&answer.value.0, &answer.value.1)?;
            let goes_on = bounds.goes_on(page.resources.len(), &page.pagination, self.inner.clock.now());
            snapshots.extend(page.resources);
            if !goes_on.map_err(|told| endless(&answer.value.0, &answer.value.1, told))? {
                break;
            }
        }
        Ok(snapshots)
    }

    /// A snapshot; `None` if it is gone.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn snapshot(&self, stream: Stream, guid: &Guid) -> Result<Option<Snapshot>, ApiError> {
        self.find(&format!("{}/{guid}", snapshots_path(stream))).await
    }

    /// One page of a complete snapshot's chunks, from 1; and whether another follows.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn chunks(&self, stream: Stream, guid: &Guid, page: u32) -> Result<(Vec<Chunk>, bool), ApiError> {
        // Chunks never change once the snapshot is complete, so page numbers are safe here.
        let path = format!("{}/{guid}/chunks", snapshots_path(stream));
        let answer = self.get(&path, &[("page", &page.to_string()), ("per_page", "50")]).await?;
        let page: Page<Chunk> = parse(&answer.value.0, &answer.value.1)?;
        Ok((page.resources, page.pagination.next.is_some()))
    }
}

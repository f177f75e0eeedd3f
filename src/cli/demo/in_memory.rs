//! Requests to a simulated foundation in the same process: no socket between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Request;

use crate::cloud_controller::transport::{Exchange, Exchanging};
use crate::simulator::Foundation;

/// A simulated foundation that its driver and its client share.
#[derive(Clone, Debug)]
pub struct InMemory {
    foundation: Arc<Mutex<Foundation>>,
}

impl InMemory {
    pub fn new(foundation: Foundation) -> Self {
        Self { foundation: Arc::new(Mutex::new(foundation)) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Foundation> {
        self.foundation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange for InMemory {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        Box::pin(async move { Ok(self.lock().exchange(&request)) })
    }
}

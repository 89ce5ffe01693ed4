//! What futures tell: a bounded number of them, as a sensible user keeps it at full speed.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::Latencies;

/// So many records are outstanding at most, beside those whose latency is measured, unless a client
/// wants fewer.
pub const WINDOW: usize = 100_000;

/// Outcomes that are not there yet. Most wait in a queue and are awaited once that is full; where the
/// latency is measured, a task waits, and sees the outcome when it comes.
#[derive(Debug)]
pub struct Outstanding<F> {
    window: VecDeque<F>,
    limit: usize,
    sampled: JoinSet<Result<()>>,
    latencies: Arc<Mutex<Latencies>>,
}

impl<F: Future<Output = Result<()>> + Send + 'static> Outstanding<F> {
    /// None yet, and no more than this later on. Needs a tokio runtime then.
    ///
    /// # Errors
    /// Never.
    pub fn new(limit: usize) -> Result<Self> {
        let latencies = Arc::new(Mutex::new(Latencies::new()?));
        let window = VecDeque::with_capacity(limit);
        Ok(Self { window, limit, sampled: JoinSet::new(), latencies })
    }

    /// Adds one, and waits for others if there are too many. `sampled` is when the record was sent, if
    /// its latency is measured.
    ///
    /// # Errors
    /// The first failure of any record.
    pub async fn add(&mut self, outcome: F, sampled: Option<Instant>) -> Result<()> {
        let Some(sent) = sampled else {
            if self.window.len() >= self.limit {
                self.wait_for(self.limit.div_ceil(2)).await?;
            }
            self.window.push_back(outcome);
            return Ok(());
        };
        let latencies = Arc::clone(&self.latencies);
        self.sampled.spawn(async move {
            outcome.await?;
            latencies.lock().unwrap_or_else(PoisonError::into_inner).add_since(sent);
            Ok(())
        });
        while let Some(done) = self.sampled.try_join_next() {
            done??;
        }
        Ok(())
    }

    /// Waits for the oldest ones, the last of them first: when that is there, most others are, and the
    /// task is not woken for each.
    async fn wait_for(&mut self, count: usize) -> Result<()> {
        for outcome in self.window.drain(..count).rev() {
            outcome.await?;
        }
        Ok(())
    }

    /// Waits for all, and gives the latencies.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn finish(mut self) -> Result<Latencies> {
        self.wait_for(self.window.len()).await?;
        while let Some(done) = self.sampled.join_next().await {
            done??;
        }
        let latencies = Arc::into_inner(self.latencies).context("a task is left")?;
        Ok(latencies.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

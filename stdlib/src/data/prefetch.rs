//! Threads that make batches ahead of the loop that uses them.
//!
//! Worker `k` of `n` makes the batches `k`, `k + n`, `k + 2n`, … and hands them over a channel of
//! its own, so they arrive in order whatever the workers' speed. No worker is more than
//! `prefetch_factor` batches ahead. When the iterator is dropped in mid-epoch the channels close
//! and the threads are joined.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::Context;
use flambeau_runtime::torch;

use super::native::Native;
use super::sampler::BatchIter;

/// How long to wait for a batch before looking whether the user pressed Ctrl-C.
const PATIENCE: Duration = Duration::from_millis(50);

/// An error that can cross threads.
type Failure = (Kind, String);

struct Worker {
    /// Lists of indices to pick; closed to end the thread.
    tasks: Option<Sender<Vec<i64>>>,
    batches: Option<Receiver<Result<Vec<tch::Tensor>, Failure>>>,
    thread: Option<JoinHandle<()>>,
}

/// The batches of one epoch, in order.
pub(crate) struct Prefetch {
    order: BatchIter,
    workers: Vec<Worker>,
    /// How many batches may be under way.
    window: usize,
    sent: usize,
    received: usize,
    /// Set when the sampler has ended, with its error where it failed.
    end: Option<Option<Error>>,
}

impl Prefetch {
    /// Starts the threads; they wait for the first batch to be asked for.
    ///
    /// # Errors
    /// A `RuntimeError` when the system gives no thread.
    pub fn new(
        native: &Native,
        order: BatchIter,
        workers: usize,
        ahead: usize,
    ) -> Result<Prefetch> {
        let grad = torch::grad_enabled();
        let start = |_| {
            let (tasks, todo) = bounded::<Vec<i64>>(ahead);
            let (done, batches) = bounded(ahead);
            let native = native.clone();
            let work = move || {
                torch::set_grad_enabled(grad);
                for indices in todo {
                    let batch = native.batch(&indices).map_err(|error| (error.kind, error.message));
                    if done.send(batch).is_err() {
                        break;
                    }
                }
            };
            let thread = std::thread::Builder::new().name("data-loader".to_owned()).spawn(work);
            let thread = thread.map_err(|error| {
                Error::new(Kind::Runtime, format!("a worker thread cannot be started: {error}"))
            })?;
            Ok(Worker { tasks: Some(tasks), batches: Some(batches), thread: Some(thread) })
        };
        let workers = (0..workers).map(start).collect::<Result<Vec<_>>>()?;
        let window = workers.len() * ahead;
        Ok(Prefetch { order, workers, window, sent: 0, received: 0, end: None })
    }

    /// Hands out tasks until the window is full.
    fn fill(&mut self) {
        while self.end.is_none() && self.sent - self.received < self.window {
            match self.order.next() {
                Some(Ok(indices)) => {
                    let worker = self.sent % self.workers.len();
                    // A worker that has died is noticed when its batch is due.
                    if let Some(tasks) = &self.workers[worker].tasks {
                        let _ = tasks.send(indices);
                    }
                    self.sent += 1;
                }
                Some(Err(error)) => self.end = Some(Some(error)),
                None => self.end = Some(None),
            }
        }
    }

    fn receive(&self, worker: usize) -> Result<Vec<tch::Tensor>> {
        let died = || Error::new(Kind::Runtime, "a worker thread of the loader ended unexpectedly");
        let batches = self.workers[worker].batches.as_ref().ok_or_else(died)?;
        loop {
            match batches.recv_timeout(PATIENCE) {
                Ok(batch) => return batch.map_err(|(kind, message)| Error::new(kind, message)),
                Err(RecvTimeoutError::Disconnected) => return Err(died()),
                Err(RecvTimeoutError::Timeout) => Context::current(|ctx| ctx.check())?,
            }
        }
    }
}

impl Iterator for Prefetch {
    type Item = Result<Vec<tch::Tensor>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
        if self.received == self.sent {
            return self.end.as_mut().and_then(Option::take).map(Err);
        }
        let batch = self.receive(self.received % self.workers.len());
        self.received += 1;
        // The workers go on while the script uses this batch.
        self.fill();
        Some(batch)
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        // Both ends of the channels first: a worker that waits to hand over a batch wakes up.
        for worker in &mut self.workers {
            worker.tasks = None;
            worker.batches = None;
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests that start threads run one after another: one of them counts.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

    fn alone() -> std::sync::MutexGuard<'static, ()> {
        ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").map_or(0, |tasks| {
            tasks
                .flatten()
                .filter(|task| {
                    let name = std::fs::read_to_string(task.path().join("comm"));
                    name.is_ok_and(|name| name.starts_with("data-loader"))
                })
                .count()
        })
    }

    /// Waits until there are so many threads: they give themselves their name, and one that has been joined is still
    /// listed for a moment.
    fn wait_for_threads(n: usize) {
        for _ in 0..1000 {
            if threads() == n {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(threads(), n);
    }

    fn rows(n: i64) -> Native {
        let x = tch::Tensor::f_from_slice(&(0..n).collect::<Vec<i64>>()).expect("numbers");
        Native::Tensors(vec![x])
    }

    fn order(n: i64, size: i64) -> BatchIter {
        Box::new((0..n / size).map(move |k| Ok((k * size..(k + 1) * size).collect())))
    }

    #[test]
    fn batches_come_in_order_and_threads_end_with_the_iterator() {
        let _alone = alone();
        for workers in [1, 2, 5] {
            let all = Prefetch::new(&rows(1000), order(1000, 10), workers, 2).expect("threads");
            let firsts: Vec<i64> =
                all.map(|batch| batch.expect("a batch")[0].int64_value(&[0])).collect();
            assert_eq!(firsts, (0..100).map(|k| k * 10).collect::<Vec<i64>>());
        }
        let mut some = Prefetch::new(&rows(1000), order(1000, 10), 4, 2).expect("threads");
        assert!(some.next().is_some());
        wait_for_threads(4);
        drop(some);
        wait_for_threads(0);
    }

    #[test]
    fn an_index_out_of_range_is_an_error_at_its_place() {
        let _alone = alone();
        let indices: BatchIter = Box::new([Ok(vec![0, 1]), Ok(vec![99]), Ok(vec![2])].into_iter());
        let all = Prefetch::new(&rows(10), indices, 2, 2).expect("threads");
        let results: Vec<bool> = all.map(|batch| batch.is_ok()).collect();
        assert_eq!(results, [true, false, true]);
    }

    #[test]
    fn an_error_of_the_sampler_comes_after_the_batches_before_it() {
        let _alone = alone();
        let indices: BatchIter =
            Box::new([Ok(vec![0]), Err(Error::value("no more")), Ok(vec![2])].into_iter());
        let mut all = Prefetch::new(&rows(10), indices, 2, 2).expect("threads");
        assert!(all.next().is_some_and(|batch| batch.is_ok()));
        assert_eq!(all.next().expect("an error").expect_err("an error").message, "no more");
        assert!(all.next().is_none());
    }
}

//! step - one step of a future, and when it wants the next
//!
//! A session's task is woken for many reasons: a deadline, an eviction, the drain. A handshake that took a slot for
//! each would hold up others while its client has sent nothing.
//! Not here: the slots (`computing`).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `future` once. Beside the outcome: what returns when the future itself asked to be polled again.
pub(super) async fn take<F: Future + Unpin>(
    future: &mut F,
) -> (Poll<F::Output>, impl Future<Output = ()> + use<F>) {
    poll_fn(|context| {
        let request = Arc::new(PollRequest {
            asked: AtomicBool::new(false),
            task: context.waker().clone(),
        });
        let waker = Waker::from(Arc::clone(&request));
        let outcome = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker));
        let mut is_first_look = true;
        let asked = poll_fn(move |context| {
            // In another task than before, the future has to get to know that one. The first look is in the same.
            let is_moved =
                !std::mem::take(&mut is_first_look) && !request.task.will_wake(context.waker());
            match is_moved || request.asked.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        Poll::Ready((outcome, asked))
    })
    .await
}

/// Passes a wake-up on to the task, and keeps that it came.
struct PollRequest {
    asked: AtomicBool,
    task: Waker,
}

impl Wake for PollRequest {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.asked.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn only_what_the_future_waits_for_asks_for_its_next_step() {
        let task = Waker::from(Arc::new(PollRequest {
            asked: AtomicBool::new(false),
            task: Waker::noop().clone(),
        }));
        let mut context = Context::from_waker(&task);
        let (mut near, mut far) = duplex(1);
        let mut read = Box::pin(near.read_u8());
        let mut taken = Box::pin(take(&mut read));
        let Poll::Ready((Poll::Pending, woken)) = taken.as_mut().poll(&mut context) else {
            panic!("there is nothing to read yet");
        };
        let mut woken = pin!(woken);
        for _ in 0..3 {
            assert!(woken.as_mut().poll(&mut context).is_pending());
        }
        let mut write = pin!(far.write_u8(7));
        assert!(write.as_mut().poll(&mut context).is_ready());
        assert!(woken.as_mut().poll(&mut context).is_ready());
        drop(taken);
        assert!(matches!(
            read.as_mut().poll(&mut context),
            Poll::Ready(Ok(7))
        ));
    }
}

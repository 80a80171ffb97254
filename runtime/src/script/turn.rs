//! One session, several threads: whoever has the session's turn runs it.
//!
//! A session's values are `Rc`, and one thread at a time may touch them. The thread that evaluates has the
//! session's turn, a lock. It gives the turn away while it is in other code that may take long or call
//! back: Python, `backward`. Meanwhile another thread can call one of the session's closures: a hook on the
//! thread of a CUDA device, a callback on a thread of Python's. Between two operations of a script it makes room for a
//! thread of the user's that has waited for some milliseconds ([`ask_for_turns`]). What such code holds of a session is a
//! [`Kept`], which works on every thread.
//!
//! # Soundness
//!
//! - What belongs to a session (its engine, state, variables and kept values) is reached by the thread that
//!   has its turn and by no other. The turn is a mutex, so all that one thread did happens before what the
//!   next one does, and counting references without atomics is as sound as on one thread.
//! - A thread that has given its turn away is inside of a call and touches nothing of the session before it
//!   has the turn again. It may have `RefCell`s borrowed: who then wants to change the same is refused, as
//!   on one thread.
//! - Nothing of a session stays behind on a thread: what this module keeps in thread-locals is there as long
//!   as a call is, and no other module keeps values of scripts in them.
//! - A value of one session must not become part of another's: [`Kept::get`] answers only inside its own.
//!
//! The drawback: the compiler proves none of this, since `Home` declares itself `Send` and `Sync`. So it
//! hands out what it protects only through functions of this file that take the turn.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use parking_lot::RawMutex;
use parking_lot::lock_api::{RawMutex as _, RawMutexFair as _, RawMutexTimed as _};
use rhai::Engine;

use super::interrupt::Interrupt;
use super::state::State;
use crate::error::{Error, Kind, Result};

/// Where a session lives.
pub struct Home {
    turn: RawMutex,
    /// The thread that has the turn, by [`this_thread`]; 0 for none.
    owner: AtomicUsize,
    inside: UnsafeCell<Inside>,
    /// By which the thread that has the turn is asked for it.
    ask: Interrupt,
    /// Where the stack of the thread that evaluates gets short; see [`State::floor`].
    floor: Arc<Floor>,
    /// Values that were let go where nobody had the turn.
    forgotten: Mutex<Vec<u64>>,
    forgets: AtomicBool,
}

/// What the turn protects.
struct Inside {
    engine: Rc<Engine>,
    state: Rc<State>,
    kept: HashMap<u64, Rc<dyn Any>>,
    /// The error of a callback, on its way through C++ to the call that led to it.
    pending: Option<Error>,
}

// SAFETY: `inside` is only reached with the turn, see the module's head; the rest is made for threads.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

/// The address that the stack of a thread must not reach; it grows downwards.
pub(crate) type Floor = AtomicUsize;

/// Room for what runs between two operations of a script: native code, Python.
const MARGIN: usize = 1 << 20;

/// The floor of this thread's stack.
fn floor() -> usize {
    let here = {
        let here = 0_u8;
        std::ptr::from_ref(&here) as usize
    };
    stacker::remaining_stack().map_or(0, |left| here - left + MARGIN.min(left / 4))
}

/// Whether this thread's stack has reached its floor.
pub(crate) fn is_short(floor: &Floor) -> bool {
    let here = 0_u8;
    (std::ptr::from_ref(&here) as usize) < floor.load(Ordering::Relaxed)
}

/// The session that evaluates on a thread.
#[derive(Clone)]
struct Active {
    home: Arc<Home>,
    engine: Rc<Engine>,
    state: Rc<State>,
}

thread_local! {
    static ACTIVE: RefCell<Option<Active>> = const { RefCell::new(None) };
    static HERE: u8 = const { 0 };
    static ASKS: Cell<bool> = const { Cell::new(false) };
}

/// How long a thread waits for the turn before it asks for it.
const PATIENCE: Duration = Duration::from_millis(5);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// How to wait where another language has a lock of its own.
type Wait = fn(&mut dyn FnMut());
static ON_WAIT: OnceLock<Wait> = OnceLock::new();

/// Has every wait for a turn go through `wait`, which lets go of what others may need meanwhile, such as
/// Python's GIL. The first to ask is served.
pub fn on_wait(wait: Wait) {
    // Later ones would be of the same process.
    let _ = ON_WAIT.set(wait);
}

/// From now on this thread, which serves the user beside an evaluation, asks a script that computes for the turn. Others
/// wait until it is in other code: they are the script's own.
pub fn ask_for_turns() {
    ASKS.set(true);
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

impl Home {
    pub(crate) fn new(engine: Engine, state: Rc<State>) -> Arc<Home> {
        Arc::new(Home {
            turn: RawMutex::INIT,
            owner: AtomicUsize::new(0),
            floor: state.floor(),
            ask: state.interrupt(),
            inside: UnsafeCell::new(Inside {
                engine: Rc::new(engine),
                state,
                kept: HashMap::new(),
                pending: None,
            }),
            forgotten: Mutex::default(),
            forgets: AtomicBool::new(false),
        })
    }

    /// The home of the session that evaluates on this thread.
    pub fn current() -> Option<Arc<Home>> {
        ACTIVE.with_borrow(|active| active.as_ref().map(|active| active.home.clone()))
    }

    /// Whether this thread has the turn.
    fn is_ours(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_thread()
    }

    /// Waits for the turn, unless this thread has it.
    pub fn turn(&self) -> Turn<'_> {
        let taken = !self.is_ours();
        if taken {
            self.take();
        }
        Turn { home: self, taken }
    }

    fn take(&self) {
        if !self.turn.try_lock() {
            let asks = ASKS.get();
            let mut until = || {
                // Again and again: the script may be told something else first.
                while asks && !self.turn.try_lock_for(PATIENCE) {
                    self.ask.want_turn();
                }
                if !asks {
                    self.turn.lock();
                }
            };
            match ON_WAIT.get() {
                Some(wait) => wait(&mut until),
                None => until(),
            }
        }
        self.owner.store(this_thread(), Ordering::Relaxed);
        self.drop_forgotten();
    }

    fn give(&self) {
        self.drop_forgotten();
        self.owner.store(0, Ordering::Relaxed);
        // SAFETY: only called by the thread that has locked it.
        unsafe { self.turn.unlock() };
    }

    /// Gives the turn to a thread that waits for it, if one does, and waits for it anew.
    fn give_way(&self) {
        let floor = self.floor.load(Ordering::Relaxed);
        self.drop_forgotten();
        self.owner.store(0, Ordering::Relaxed);
        // SAFETY: only called by the thread that has locked it. Fair: else this thread would have it again before the
        // other has woken.
        unsafe { self.turn.unlock_fair() };
        self.take();
        self.floor.store(floor, Ordering::Relaxed);
    }

    /// Looks inside, with the turn. `look` must be short and call nothing that could come here again.
    fn inside<R>(&self, look: impl FnOnce(&mut Inside) -> R) -> R {
        assert!(self.is_ours(), "a session is used out of turn");
        // SAFETY: this thread has the turn, so no other is here; `look` does not come here again, so this is
        // the only reference.
        look(unsafe { &mut *self.inside.get() })
    }

    /// Drops what was let go meanwhile.
    fn drop_forgotten(&self) {
        while self.forgets.swap(false, Ordering::Acquire) {
            let numbers =
                std::mem::take(&mut *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner));
            let values: Vec<_> = self
                .inside(|inside| numbers.iter().filter_map(|n| inside.kept.remove(n)).collect());
            // Dropping may run anything, so only now.
            drop::<Vec<Rc<dyn Any>>>(values);
        }
    }

    fn forget(&self, number: u64) {
        if self.is_ours() {
            let value = self.inside(|inside| inside.kept.remove(&number));
            return drop(value);
        }
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        self.forgets.store(true, Ordering::Release);
        // Where nobody has the turn nobody would look soon.
        if self.turn.try_lock() {
            self.owner.store(this_thread(), Ordering::Relaxed);
            self.give();
        }
    }

    /// Runs `run` as the session that evaluates on this thread, with the turn.
    pub(crate) fn enter<R>(self: &Arc<Self>, run: impl FnOnce(&Rc<Engine>, &Rc<State>) -> R) -> R {
        struct Restore<'a>(Option<Active>, &'a Floor, usize);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.1.store(self.2, Ordering::Relaxed);
                drop(ACTIVE.replace(self.0.take()));
            }
        }
        let _turn = self.turn();
        let (engine, state) = self.inside(|inside| (inside.engine.clone(), inside.state.clone()));
        let active = Active { home: self.clone(), engine: engine.clone(), state: state.clone() };
        // Dropped before the turn is given away.
        let floor = self.floor.swap(floor(), Ordering::Relaxed);
        let _restore = Restore(ACTIVE.replace(Some(active)), &self.floor, floor);
        let outcome = run(&engine, &state);
        drop((engine, state));
        outcome
    }

    /// Runs `run` where [`super::Context::current`] finds this session, with the turn.
    pub fn with<R>(self: &Arc<Self>, run: impl FnOnce() -> R) -> R {
        self.enter(|_, _| run())
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Rc<Engine> {
        let _turn = self.turn();
        self.inside(|inside| inside.engine.clone())
    }

    /// Changes the engine, or puts another in its place where calls that wait still use it.
    pub(crate) fn change_engine(
        &self,
        again: impl FnOnce() -> Engine,
        change: impl FnOnce(&mut Engine),
    ) {
        let _turn = self.turn();
        let mut engine = self.engine();
        // One is kept inside, the other is ours.
        if Rc::strong_count(&engine) > 2 {
            engine = Rc::new(again());
        } else {
            // For as long as it changes nobody comes inside; an empty engine costs nothing.
            self.inside(|inside| inside.engine = Rc::new(Engine::new_raw()));
        }
        if let Some(engine) = Rc::get_mut(&mut engine) {
            change(engine);
        }
        let old = self.inside(|inside| std::mem::replace(&mut inside.engine, engine));
        drop(old);
    }

    /// Keeps the error of a callback that C++ cannot carry.
    pub(crate) fn set_pending(&self, error: Error) {
        let _turn = self.turn();
        self.inside(|inside| {
            inside.pending.get_or_insert(error);
        });
    }

    /// The error of a callback since the last time.
    pub(crate) fn take_pending(&self) -> Option<Error> {
        let _turn = self.turn();
        self.inside(|inside| inside.pending.take())
    }
}

/// The turn, given away when dropped by the one who took it.
pub struct Turn<'a> {
    home: &'a Home,
    taken: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.taken {
            self.home.give();
        }
    }
}

/// The session that evaluates on this thread, with its turn.
pub(crate) fn active<R>(run: impl FnOnce(&Rc<Engine>, &Rc<State>) -> R) -> Option<R> {
    let active = ACTIVE.with_borrow(|active| active.as_ref().map(|active| active.home.clone()))?;
    let _turn = active.turn();
    let (engine, state) = ACTIVE.with_borrow(|active| {
        active.as_ref().map(|active| (active.engine.clone(), active.state.clone()))
    })?;
    Some(run(&engine, &state))
}

/// Lets another thread have the turn of the session that evaluates on this one.
pub(crate) fn give_way() {
    if let Some(home) = Home::current().filter(|home| home.is_ours()) {
        home.give_way();
    }
}

/// Whether the session that evaluates on this thread was told to stop; with its turn.
pub fn is_stopping() -> bool {
    ACTIVE.with_borrow(|active| active.as_ref().is_some_and(|active| active.state.stop_requested()))
}

/// Whether the session that evaluates on this thread was started by another one.
pub(crate) fn is_isolate() -> bool {
    ACTIVE.with_borrow(|active| active.as_ref().is_some_and(|active| active.state.is_isolate))
}

/// Runs `run`, and lets other threads have the turn of this thread's session meanwhile. `run` must not
/// touch anything of the session, except by coming in anew.
pub fn outside<R>(run: impl FnOnce() -> R) -> R {
    struct Return(Option<(Arc<Home>, usize)>);
    impl Drop for Return {
        fn drop(&mut self) {
            if let Some((home, floor)) = &self.0 {
                home.take();
                home.floor.store(*floor, Ordering::Relaxed);
            }
        }
    }
    let home = Home::current().filter(|home| home.is_ours());
    let home = home.map(|home| {
        let floor = home.floor.load(Ordering::Relaxed);
        home.give();
        (home, floor)
    });
    let _return = Return(home);
    run()
}

/// A value of a session that other threads and other languages may hold. It lives until this is dropped,
/// or as long as the session. A clone is the same value.
pub struct Kept<T>(Arc<Slot>, PhantomData<fn() -> T>);

/// The place of a kept value.
struct Slot {
    home: Arc<Home>,
    number: u64,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Kept(self.0.clone(), PhantomData)
    }
}

impl<T: 'static> Kept<T> {
    /// Keeps a value in the session that evaluates on this thread.
    ///
    /// # Errors
    /// A `RuntimeError` where none does.
    pub fn new(value: T) -> Result<Kept<T>> {
        let Some(home) = Home::current() else { return Err(nobody()) };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        {
            let _turn = home.turn();
            home.inside(|inside| inside.kept.insert(number, Rc::new(value)));
        }
        Ok(Kept(Arc::new(Slot { home, number }), PhantomData))
    }

    /// The value, on a thread where its session evaluates; elsewhere it is out of reach.
    pub fn get(&self) -> Option<Rc<T>> {
        let Slot { home, number } = &*self.0;
        if !home.is_ours() || !Arc::ptr_eq(&Home::current()?, home) {
            return None;
        }
        let value = home.inside(|inside| inside.kept.get(number).cloned())?;
        value.downcast().ok()
    }

    /// Runs `run` with the value, as an evaluation of its session on this thread; waits for the turn.
    ///
    /// # Errors
    /// What `run` reports.
    pub fn with<R>(&self, run: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        self.0.home.enter(|_, _| run(&*self.get().ok_or_else(nobody)?))
    }

    /// Where it lives.
    pub fn home(&self) -> &Arc<Home> {
        &self.0.home
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.home.forget(self.number);
    }
}

/// What is said where no session evaluates.
pub(crate) fn nobody() -> Error {
    Error::new(Kind::Runtime, "a closure of a script was called where no script runs")
}

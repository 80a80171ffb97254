//! Evaluates the script files given as arguments in one session: the smallest embedding.

use flambeau_runtime::memory::Counting;
use flambeau_runtime::script::{Options, Session};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut session = Session::new(Options::default());
    for path in std::env::args().skip(1) {
        let code = std::fs::read_to_string(&path).unwrap_or_default();
        match session.evaluate(&path, &code) {
            Ok(value) => println!("{}", session.display(&value)),
            Err(report) => eprintln!("{}", report.rendered(false)),
        }
    }
}

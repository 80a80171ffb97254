//! The program's executable; all of it is in the library beside.

#![deny(unsafe_code)]

fn main() {
    flambeau_program::main(std::env::args_os())
}

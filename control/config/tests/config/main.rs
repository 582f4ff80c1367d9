//! The crate from outside: files in, models and messages out.

mod editor;
mod flow;
mod golden;
mod import;
mod kit;
mod mutated;
mod orders;
mod pages;
mod properties;
mod workers;

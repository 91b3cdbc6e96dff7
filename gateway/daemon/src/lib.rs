//! The gateway: everything that touches the world. Modules stand in the order of a connection's life.

pub mod app;
pub mod config;

pub mod intercept;

pub mod flow;

pub mod driver;

pub mod identity;

pub mod approval;

pub mod record;

pub mod control;

pub mod tls;

pub mod cli;

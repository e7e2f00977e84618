//! The gate and its endpoints, against a scripted provider, with a browser that keeps cookies.

mod ended;
mod fixture;
mod gate;
mod login;
mod renewal;
mod reserved;

//! The whole client against a scripted provider in memory; each case of `attacks` by its id.

mod discovery;
mod groups;
mod id_token;
mod introspection;
mod keys;
mod login;
mod logout;
mod refresh;
mod scripted;
mod userinfo;

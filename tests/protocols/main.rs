//! What goes over the wire (DESIGN 6 and 7), read by clients that know nothing but the protocol.

mod closed;
mod http;
mod monitoring;
mod real_input;
mod slow_reader;
mod snapshot;
mod sse;
mod storm;
mod strangers;
mod telemetry;
mod tls;
mod websocket;

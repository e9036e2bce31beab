//! What a customer, the saga and the reports see of an order.

mod events;
mod http;
mod index;
mod random;
mod status;

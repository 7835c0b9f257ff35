//! Real host networks in namespaces of their own: needs root and `nft`.

mod one_host;
mod three_hosts;

//! Cuts a list into pages that stay below the size of a message. A page token is the id after which the next page begins, so that objects
//! which come or go between two pages shift nothing.

use cluster_api::FieldError;
use cluster_types::limits::{MESSAGE_BYTES, PAGE_OBJECTS};

/// Leaves room for the frame and the next object's token.
const PAGE_BYTES: usize = MESSAGE_BYTES * 3 / 4;

/// One page and the token of the next; empty when there is none.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: String,
}

/// The id that a page token names; none for the first page.
pub(crate) fn after<T: std::str::FromStr>(token: &str) -> Result<Option<T>, FieldError> {
    if token.is_empty() {
        return Ok(None);
    }
    token.parse().map(Some).map_err(|_| FieldError::new("page_token", "it was not given out by this cluster"))
}

/// The first page of `objects`, which are in the order of their ids and come as (id, message).
pub(crate) fn cut<I: std::fmt::Display, T: prost::Message>(objects: impl Iterator<Item = (I, T)>) -> Page<T> {
    let mut page = Page { items: Vec::new(), next: String::new() };
    let (mut bytes, mut last) = (0, String::new());
    for (id, item) in objects {
        bytes += item.encoded_len() + 8;
        if page.items.len() == PAGE_OBJECTS || (bytes > PAGE_BYTES && !page.items.is_empty()) {
            page.next = last;
            break;
        }
        last = id.to_string();
        page.items.push(item);
    }
    page
}

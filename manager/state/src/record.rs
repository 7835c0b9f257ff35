//! What a kind of object must say of itself to live in a [`Table`](crate::table::Table).
//!
//! A new kind costs one `impl Record` here and one index in [`crate::index`].

use std::fmt::Debug;
use std::sync::Arc;

use cluster_types::{Cluster, ClusterId, Meta, Network, NetworkId, Node, NodeId, Object, ObjectKey, Service, ServiceId, Task, TaskId};

use crate::index::{Index, Names, NetworkNames, NoIndex, NodeKeys, Places};

/// An object that a table can hold.
pub(crate) trait Record: Clone + PartialEq + Debug {
    /// Its id.
    type Id: Copy + Ord + Debug;
    /// What else it is found by.
    type Index: Index<Self>;

    fn id(&self) -> Self::Id;
    fn key(id: Self::Id) -> ObjectKey;
    fn meta(&self) -> Meta;
    fn meta_mut(&mut self) -> &mut Meta;
    fn object(shared: Arc<Self>) -> Object;
}

macro_rules! record {
    ($kind:ident, $id:ty, $index:ty) => {
        impl Record for $kind {
            type Id = $id;
            type Index = $index;

            fn id(&self) -> $id {
                self.id
            }

            fn key(id: $id) -> ObjectKey {
                ObjectKey::$kind(id)
            }

            fn meta(&self) -> Meta {
                self.meta
            }

            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.meta
            }

            fn object(shared: Arc<Self>) -> Object {
                Object::$kind(shared)
            }
        }
    };
}

record!(Cluster, ClusterId, NoIndex);
record!(Node, NodeId, NodeKeys);
record!(Service, ServiceId, Names);
record!(Task, TaskId, Places);
record!(Network, NetworkId, NetworkNames);

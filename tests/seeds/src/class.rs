//! A simulator's classes of faults: an enum whose variants have words, for tables.

/// Declares the classes of a simulator as `Class`, and `Fired`, how often each did something.
#[macro_export]
macro_rules! classes {
    ($($(#[$text:meta])* $name:ident => $word:literal,)+) => {
        /// A class of faults. Each must do something in a run of many seeds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Class {
            $($(#[$text])* $name,)+
        }

        impl Class {
            /// All of them in words, as tables have them.
            pub(crate) const WORDS: &[&str] = &[$($word),+];

            pub(crate) fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        /// How often each class of faults did something.
        pub(crate) type Fired = [u64; Class::WORDS.len()];
    };
}

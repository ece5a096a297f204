//! Enums that are kept and sent as text.

/// Gives an enum the text of each of its values, and reads them from it. `$what` says in errors what was to be read.
macro_rules! texts {
    ($name:ident, $what:literal, { $($variant:ident = $text:literal,)* }) => {
        impl $name {
            /// All of them, in their order.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// The name in the database, on the wire and in configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::ALL.into_iter().find(|value| value.as_str() == text).ok_or_else(|| {
                    let known = Self::ALL.map(Self::as_str).join(", ");
                    let message = format!("{text:?} is no {}; known are {known}", $what);
                    $crate::Error::invalid(concat!("read ", $what), message)
                })
            }
        }
    };
}

pub(crate) use texts;

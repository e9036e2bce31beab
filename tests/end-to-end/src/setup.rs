//! The ways to run an application; tests are written once and run in each.

/// How an application is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Setup {
    /// `a4co up`: events and state in one directory.
    #[default]
    Embedded,
    /// `a4co up --nats`: both in a NATS server of its own.
    Nats,
    /// `a4co up --http-only`, which serves as Spin would over a state of its own, and `a4co bridge --nats`, which delivers
    /// to it: the two share HTTP and nothing else.
    Bridged,
}

/// Makes tests of functions that take [`Settings`](crate::Settings): `name::embedded`, `name::nats`, `name::bridged`.
/// Where one has no meaning in a setup, that is left out of its list, and the list says why.
///
/// ```text
/// end_to_end::in_setups! {
///     [embedded, nats, bridged]: an_order_is_confirmed, a_declined_card_cancels_the_order;
///     [embedded] because "there is no file elsewhere": a_damaged_file_is_named;
/// }
/// ```
#[macro_export]
macro_rules! in_setups {
    ($($setups:tt $(because $why:literal)?: $($name:ident),+;)+) => {
        $($($crate::in_setups!(@one $setups $name);)+)+
    };
    (@one [$($setup:ident),+] $name:ident) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $setup() -> anyhow::Result<()> {
                    super::$name($crate::Settings::$setup()).await
                }
            )+
        }
    };
}

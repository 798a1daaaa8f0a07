//! The stories, one file for each of what a user does.

use futures::future::BoxFuture;

use crate::world::World;

/// A story: a sentence, and how it is played.
pub struct Story {
    /// The sentence.
    pub name: &'static str,
    /// How it is played.
    pub play: fn(World) -> BoxFuture<'static, anyhow::Result<()>>,
}

macro_rules! stories {
    ($($file:ident: $($name:ident),* $(,)?;)*) => {
        /// Every story.
        pub static ALL: &[Story] = &[$($(Story {
            name: concat!(stringify!($file), "::", stringify!($name)),
            play: |world| Box::pin(crate::$file::$name(world)),
        },)*)*];
    };
}

stories! {
    path: an_environment_goes_from_manifest_to_pods;
}

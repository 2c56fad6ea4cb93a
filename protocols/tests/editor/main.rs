//! The line editor, over bytes, with an emulated screen.

mod drawing;
mod hostile;
mod keys;
mod pastes;
mod scene;

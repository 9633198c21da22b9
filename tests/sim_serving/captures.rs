//! Real engines' captures, replayed into the model.

//! Rules that are broken on purpose, to see whether the simulation notices (`cargo xtask simulate
//! --mutants`). Each is a `--cfg kafka_mutant="name"` of the compiler: in any other build it is a constant
//! `false` that leaves nothing behind.

/// Whether the rule at this place is to be broken in this build.
macro_rules! is_broken {
    ($name:literal) => {
        cfg!(kafka_mutant = $name)
    };
}

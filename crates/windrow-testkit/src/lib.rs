//! The test kit: real repositories in temporary directories, a cleared environment, real binaries.

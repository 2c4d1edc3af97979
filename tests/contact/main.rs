//! First contact: `leapfrog init` on the configurations of a machine, and the cloud file that comes of it.
//!
//! The machines are directories: what the services' own sample configurations look like once an operator has filled
//! them in, and kolla-ansible's layout. `broken` has a table of what can be wrong with them. `real` (ignored; it needs
//! the test bed) reads the same table with oslo.config itself, out of every release's image, and compares.

mod broken;
mod kolla;
mod machine;
mod packages;
mod real;

//! The shim as a program of its own, for tests and benchmarks of this crate; the product offers it as `cluster shim`.

fn main() {
    cluster_runtime::shim::shim_main()
}

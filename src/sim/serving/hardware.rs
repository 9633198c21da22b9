//! What GPUs can do, by their names: data sheets, not measurements.

/// A kind of GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// As the driver names it.
    pub name: &'static str,
    /// Memory in MiB.
    pub memory_mib: f64,
    /// Dense 16-bit floating point operations per second.
    pub flops: f64,
    /// Memory bandwidth in bytes per second.
    pub bandwidth: f64,
    /// Highest clock of the SMs in MHz.
    pub sm_mhz: f64,
    /// The memory's clock in MHz.
    pub memory_mhz: f64,
    /// Power limit in W, as shipped.
    pub watts: f64,
    /// Power without work in W.
    pub idle_watts: f64,
}

const PRODUCTS: &[Product] = &[
    Product {
        name: "NVIDIA H100 80GB HBM3",
        memory_mib: 81_559.0,
        flops: 989e12,
        bandwidth: 3.35e12,
        sm_mhz: 1980.0,
        memory_mhz: 2619.0,
        watts: 700.0,
        idle_watts: 72.0,
    },
    Product {
        name: "NVIDIA H200",
        memory_mib: 143_771.0,
        flops: 989e12,
        bandwidth: 4.8e12,
        sm_mhz: 1980.0,
        memory_mhz: 3201.0,
        watts: 700.0,
        idle_watts: 76.0,
    },
    Product {
        name: "NVIDIA A100-SXM4-80GB",
        memory_mib: 81_920.0,
        flops: 312e12,
        bandwidth: 2.04e12,
        sm_mhz: 1410.0,
        memory_mhz: 1593.0,
        watts: 400.0,
        idle_watts: 60.0,
    },
    Product {
        name: "NVIDIA L40S",
        memory_mib: 46_068.0,
        flops: 362e12,
        bandwidth: 0.864e12,
        sm_mhz: 2520.0,
        memory_mhz: 9001.0,
        watts: 350.0,
        idle_watts: 35.0,
    },
];

impl Product {
    /// A kind of GPU by its name; one that is not known is taken for an H100.
    pub fn named(name: &str) -> Self {
        PRODUCTS.iter().copied().find(|product| product.name == name).unwrap_or(PRODUCTS[0])
    }

    /// The names that are known.
    pub fn known() -> impl Iterator<Item = &'static str> {
        PRODUCTS.iter().map(|product| product.name)
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> f64 {
        self.memory_mib * 1_048_576.0
    }
}

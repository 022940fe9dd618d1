//! filter - the listener filter: SYNs of banned clients dropped by the kernel

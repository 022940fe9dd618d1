//! lab - botnet, backend, certificate, traffic, models, plot: for demo, attack, simulate and benches

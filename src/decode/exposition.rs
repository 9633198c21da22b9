//! Prometheus text and `OpenMetrics` as engines really write them.

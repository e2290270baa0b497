"""Benchmarks of retrieval: cached stages, published results, reports."""

"""The gate: same digests planned, built, tested and deployed, or a refusal by name."""

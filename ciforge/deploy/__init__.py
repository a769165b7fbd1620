"""Releases tested images with Helm: gate, lock, recovery, rollout, watch, rollback."""

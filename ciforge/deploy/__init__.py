"""Deploys: Helm releases of tested digests, one at a time, watched while they roll."""

"""The Nx workspace as values: project graph, nx.json, patterns, services."""

"""Images: hermetic contexts, one bake, started once, tagged last."""

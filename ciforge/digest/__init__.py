"""What an image's build reads, as one digest: the same inputs, the same digest."""

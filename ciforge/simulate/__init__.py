"""Which jobs a pipeline would have, and when they would run on so many runners."""

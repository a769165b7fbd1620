#!/bin/sh
set -e
# As the official image: options and unknown words are for node.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ]; then
  set -- node "$@"
fi
exec "$@"

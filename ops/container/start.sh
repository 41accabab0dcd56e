#!/bin/sh
# What a container runs: `propensity` with the loops that were compiled for the image. They are
# copied to where this container may write, since what is missing among them is kept there too.
set -eu
compiled=${PROPENSITY_COMPILED:-/var/lib/propensity/compiled}
if [ -d "$compiled" ] && [ ! -d "$XDG_CACHE_HOME/propensity" ]; then
  mkdir -p "$XDG_CACHE_HOME"
  cp -R "$compiled/." "$XDG_CACHE_HOME/"
fi
exec python -m consumer "$@"

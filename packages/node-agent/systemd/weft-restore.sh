#!/bin/sh
# Loads the policy before the first packet. In: the policy files; the first line of each holds the SHA-256 of what
# follows. Out: the first of them that is whole, in the kernel, and which one it was in /run/weft-restore/outcome. A file
# that was cut off and still parses is not whole. Needs nothing but sh, head, tail, sha256sum and nft.
set -u
folder=/var/lib/weft/policy

whole() {
  [ -s "$1" ] || return 1
  sum=$(tail -n +2 -- "$1" | sha256sum)
  [ "$(head -n 1 -- "$1")" = "# sha256 ${sum%% *}" ]
}

for which in confirmed previous guards-only; do
  if whole "$folder/$which.nft" && /usr/sbin/nft -f "$folder/$which.nft"; then
    echo "$which" >/run/weft-restore/outcome
    [ "$which" = confirmed ] || echo "weft: confirmed.nft is missing or damaged: $which.nft is loaded instead" >&2
    exit 0
  fi
done
echo nothing >/run/weft-restore/outcome
echo "weft: no file in $folder is whole: no rules are loaded" >&2
exit 1

#!/usr/bin/env bash
# Makes an nkey for every role of accounts.conf, and the secret that the servers of a cluster know each other by. Needs
# openssl and python3 and nothing else. What is there is kept: to replace a role's key, remove its file and run it again.
#
#   infra/nats/make-keys.sh [--into FOLDER] [ROUTE_HOST:PORT ...]
#
#   FOLDER/ROLE.nk        the role's seed: `a4co up --nats-nkey FOLDER/host.nk`. Secret; give each process its own only
#   FOLDER/public.conf    the public keys, which accounts.conf includes
#   FOLDER/routes.conf    the servers of a cluster and their secret, which cluster/node-*.conf include
#
# The folder is infra/nats/keys unless --into says otherwise; the servers are three on this machine unless some are named.
set -euo pipefail

roles=(system host bridge operator reader artisan product inventory order payment saga notification user)
folder=$(cd "$(dirname "$0")" && pwd)/keys
if [ "${1:-}" = "--into" ]; then
  folder=${2:?--into needs a folder}
  shift 2
fi
servers=("$@")
[ "${#servers[@]}" -gt 0 ] || servers=(127.0.0.1:6222 127.0.0.1:6223 127.0.0.1:6224)

umask 077
mkdir -p "$folder"

# nkey SEED|PUBLIC < key in DER: an ed25519 key as NATS writes it: what it is, 32 bytes, a checksum, in base32.
nkey() {
  python3 -c '
import base64, sys
raw = sys.stdin.buffer.read()[-32:]
USER, SEED = 20 << 3, 18 << 3
head = bytes([SEED | USER >> 5, (USER & 31) << 3]) if sys.argv[1] == "seed" else bytes([USER])
crc = 0
for byte in head + raw:
    crc ^= byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
print(base64.b32encode(head + raw + crc.to_bytes(2, "little")).decode().rstrip("="))' "$1"
}

for role in "${roles[@]}"; do
  pem=$(mktemp "$folder/.new.XXXXXX")
  trap 'rm -f "$pem"' EXIT
  if [ ! -e "$folder/$role.nk" ]; then
    openssl genpkey -algorithm ed25519 -out "$pem"
    openssl pkey -in "$pem" -outform DER | nkey seed > "$folder/$role.nk"
    openssl pkey -in "$pem" -pubout -outform DER | nkey public > "$folder/$role.pub"
  fi
  rm -f "$pem"
done

{
  echo "# Made by make-keys.sh: the public key of each role."
  for role in "${roles[@]}"; do
    echo "${role^^}_NKEY: $(cat "$folder/$role.pub")"
  done
} > "$folder/public.conf"

if [ ! -e "$folder/route.secret" ]; then
  openssl rand -hex 24 > "$folder/route.secret"
fi
secret=$(cat "$folder/route.secret")
{
  echo "# Made by make-keys.sh: the servers of the cluster, and what they know each other by. Secret."
  echo "authorization { user: route, password: \"$secret\", timeout: 2 }"
  echo "routes: ["
  for server in "${servers[@]}"; do
    echo "  \"nats-route://route:$secret@$server\""
  done
  echo "]"
} > "$folder/routes.conf"

echo "${#roles[@]} roles have keys in $folder; give each process its own .nk file, and the servers public.conf and routes.conf."

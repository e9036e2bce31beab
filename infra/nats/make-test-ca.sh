#!/usr/bin/env bash
# Makes an authority and certificates of a server and a client, to try TLS with. Needs openssl. They hold for 30 days; in
# production certificates come from your own authority.
#
#   infra/nats/make-test-ca.sh [--into FOLDER] [NAME|ADDRESS ...]     the server's, localhost and 127.0.0.1 unless named
set -euo pipefail

folder=$(cd "$(dirname "$0")" && pwd)/tls
if [ "${1:-}" = "--into" ]; then
  folder=${2:?--into needs a folder}
  shift 2
fi
names=("$@")
[ "${#names[@]}" -gt 0 ] || names=(localhost 127.0.0.1)

alternatives=""
for name in "${names[@]}"; do
  case $name in
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
  esac
  alternatives+="${alternatives:+,}$kind:$name"
done

umask 077
mkdir -p "$folder"
cd "$folder"

openssl req -x509 -newkey ed25519 -noenc -days 30 -subj "/CN=a4co test authority" \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" \
  -keyout ca.key -out ca.pem 2> openssl.log || { cat openssl.log >&2; exit 1; }

# certificate WHO USAGE ALTERNATIVE_NAMES: WHO.pem and WHO.key, signed by the authority.
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=a4co $1" -keyout "$1.key" -out "$1.csr" 2>> openssl.log
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days 30 -out "$1.pem" -extfile <(
    printf 'extendedKeyUsage=%s\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n' "$2"
    printf 'subjectAltName=%s\n' "$3"
  ) 2>> openssl.log
  rm -f "$1.csr"
}

certificate server serverAuth,clientAuth "$alternatives" || { cat openssl.log >&2; exit 1; }
certificate client clientAuth DNS:a4co-client || { cat openssl.log >&2; exit 1; }
rm -f openssl.log
echo "ca.pem, server.pem, server.key, client.pem and client.key are in $folder; the server is $alternatives."
